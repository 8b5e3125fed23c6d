"""`--results`: what each task says, in a folder of its own, for nobody else to read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from aurora_spawner.cli.jobs import Job
from aurora_spawner.models import SpawnResult
from aurora_spawner.redact import redact, secrets_in

__all__ = ["ResultsFolder", "folder_name"]

# What is left of an id, characters; file systems allow 255 bytes.
_LONGEST = 60

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def folder_name(job: Job) -> str:
    """The index, which makes it unique and keeps it inside, and what is safe of the id."""
    called = "" if job.id is None else _UNSAFE.sub("-", str(job.id))[:_LONGEST].strip("-")
    return f"{job.index}-{called}" if called else str(job.index)


class ResultsFolder:
    """A folder with one folder per task.

    Each has `stdout.log` and `stderr.log`, which grow while the task runs, and at last `output`,
    the answer. Secrets are left out.

    Args:
        path: The folder; made if it is not there, with its parents.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, path: str) -> None:
        # Absolute, since agents may work elsewhere.
        self._path = Path(path).absolute()
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def place(self, job: Job) -> str:
        """The folder of a task."""
        return str(self._path / folder_name(job))

    def write(self, job: Job, result: SpawnResult) -> None:
        """Write a task's answer, over that of an earlier run.

        Raises:
            OSError: It cannot be written.
        """
        folder = Path(self.place(job))
        folder.mkdir(mode=0o700, exist_ok=True)
        secrets = secrets_in({**os.environ, **(job.task.env if job.task is not None else {})})
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(folder / "output", flags, 0o600), "wb") as file:
            file.write(redact(result.output, secrets).encode("utf-8", "replace"))
