"""`--joblog`: one line per finished task, in the columns of GNU parallel's job log."""

from __future__ import annotations

import os
import shlex

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.words import first_line
from aurora_spawner.models import SpawnResult
from aurora_spawner.terminal import safe_line

__all__ = ["JobLog"]

_COLUMNS = "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command"


class JobLog:
    """A file that grows by a line per task; several runs may append to one.

    Args:
        path: The file; made readable for its owner only.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)
        self._host = os.uname().nodename
        if not os.fstat(self._descriptor).st_size:
            self._append(_COLUMNS.split())

    def write(self, job: Job, result: SpawnResult, started: float) -> None:
        """Append a line; in one write, so that lines of several runs do not mix.

        Args:
            job: The task; `Seq` counts from 1.
            result: What became of it.
            started: Seconds since 1970.

        Raises:
            OSError: It cannot be written.
        """
        prompt = job.task.prompt if job.task is not None else ""
        code = result.exit_code
        # As in the C library's wait status one of the two is 0. -1 is a process that never was,
        # and an agent can fail for all that its exit code says.
        signalled = -code if code < -1 else 0
        exit_value = 0 if signalled else code or int(not result.success)
        self._append(
            [
                str(job.index + 1),
                self._host,
                f"{started:.3f}",
                f"{result.execution_time:.3f}",
                str(len(prompt.encode("utf-8", "replace"))),
                str(len(result.output.encode("utf-8", "replace"))),
                str(exit_value),
                str(signalled),
                self._command(job),
            ]
        )

    def _command(self, job: Job) -> str:
        command = job.task.command if job.task is not None else None
        return safe_line(shlex.join(command)) if command else first_line(job.input)

    def _append(self, cells: list[str]) -> None:
        os.write(self._descriptor, ("\t".join(cells) + "\n").encode("utf-8", "replace"))
