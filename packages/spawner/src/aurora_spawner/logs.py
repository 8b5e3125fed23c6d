"""All that an agent says, on disk: as it was, but for secrets."""

from __future__ import annotations

import os
from collections.abc import Iterable

from aurora_spawner.redact import Redactor

__all__ = ["OutputLogs"]


class OutputLogs:
    """`stdout.log` and `stderr.log` of one attempt in a folder; later attempts append.

    The folder is made with mode 0700, the files with 0600. An error of the disk ends the logging,
    not the attempt: it is kept in `failure`.

    Args:
        folder: Where to.
        secrets: What is left out.
    """

    def __init__(self, folder: str, secrets: Iterable[str]) -> None:
        self.failure: OSError | None = None
        self._redactors = {name: Redactor(secrets) for name in ("stdout", "stderr")}
        self._files: dict[str, int] = {}
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            for name in self._redactors:
                self._files[name] = os.open(
                    os.path.join(folder, f"{name}.log"),
                    os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC,
                    0o600,
                )
        except OSError as error:
            self._fail(error)

    def write(self, stream: str, data: bytes, *, final: bool = False) -> None:
        """Take the next bytes of a stream."""
        if stream not in self._files:
            return
        rest = memoryview(self._redactors[stream].feed(data, final=final))
        try:
            while rest:
                rest = rest[os.write(self._files[stream], rest) :]
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Write what was held back, and close."""
        for name in list(self._files):
            self.write(name, b"", final=True)
        self._close_files()

    def _fail(self, error: OSError) -> None:
        self.failure = self.failure or error
        self._close_files()

    def _close_files(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
