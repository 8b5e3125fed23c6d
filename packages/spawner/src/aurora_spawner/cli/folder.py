"""`--results`: each task's outputs in a folder of its own, and for nobody else to read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from aurora_spawner.cli.jobs import Job
from aurora_spawner.models import SpawnResult

__all__ = ["ResultsFolder", "folder_name"]

# What is left of an id, characters; file systems allow 255 bytes.
_LONGEST = 60

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def folder_name(job: Job) -> str:
    """The index, which makes it unique and keeps it inside, and what is safe of the id."""
    called = "" if job.id is None else _UNSAFE.sub("-", str(job.id))[:_LONGEST].strip("-")
    return f"{job.index}-{called}" if called else str(job.index)


class ResultsFolder:
    """A folder with one folder per task, each with the files `stdout` and `stderr`.

    Args:
        path: The folder; made if it is not there, with its parents.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, path: str) -> None:
        # Absolute, since we may be asked from anywhere.
        self._path = Path(path).absolute()
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, job: Job, result: SpawnResult) -> None:
        """Write a task's outputs over those of an earlier run.

        Raises:
            OSError: They cannot be written.
        """
        folder = self._path / folder_name(job)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, text in (("stdout", result.output), ("stderr", result.stderr)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(folder / name, flags, 0o600)
            with open(descriptor, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
