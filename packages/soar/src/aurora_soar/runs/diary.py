"""The diary of a run: `events.jsonl` in its folder, written while it goes on, for who follows it.

Whoever writes holds a lock on it, so that a reader can tell a run that is silent from one that was
killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

__all__ = ["DiaryReader", "DiaryWriter"]

# Seconds between two looks at a file that does not grow: nobody reads faster than this.
_LOOK_EVERY = 0.2


class DiaryWriter:
    """Writes a diary anew; a context manager.

    Args:
        path: The file; private to the user.

    Raises:
        OSError: It cannot be written, or another run writes it.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
        except BaseException:
            os.close(self._file)
            raise

    def write(self, line: str) -> None:
        """Add a line.

        Raises:
            OSError: It cannot be written.
        """
        os.write(self._file, line.encode())

    def __enter__(self) -> DiaryWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)


class DiaryReader:
    """Reads a diary, also while it is written.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def is_written(self) -> bool:
        """Whether its run goes on."""
        try:
            with self._path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def lines(self, *, follow: bool) -> Iterator[str]:
        """Its whole lines; with `follow` those that come too, until nobody writes any more.

        Raises:
            OSError: It cannot be read.
        """
        with self._path.open("r", encoding="utf-8") as file:
            begun = ""
            while True:
                # In this order: what was written before the end is read after it.
                over = not (follow and self.is_written)
                while text := file.readline():
                    begun += text
                    if begun.endswith("\n"):
                        yield begun
                        begun = ""
                if over:
                    return
                time.sleep(_LOOK_EVERY)
