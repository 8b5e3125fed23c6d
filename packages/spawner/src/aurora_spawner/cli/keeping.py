"""`--journal` and `--resume`: what is kept of an earlier run, and what is to be kept of this."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.options import RunOptions
from aurora_spawner.errors import JournalFileError
from aurora_spawner.journal import Content, Execution, Journal, content_of, surroundings
from aurora_spawner.models import SpawnResult

__all__ = ["Keeping", "Known", "open_keeping"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal says of a job.

    Attributes:
        result: The kept result; None: it is to run.
        changed: What differs from when it ran.
    """

    result: SpawnResult | None
    changed: tuple[str, ...] = ()


class Keeping:
    """A journal for the length of a run; a context manager.

    Args:
        path: The journal.
        resume: It is that of an earlier run; otherwise there is to be none.
        again: Failed results are not kept.

    Raises:
        JournalError: It cannot be used, is there where none is to be, or the other way round.
    """

    def __init__(self, path: str, *, resume: bool, again: bool) -> None:
        exists = os.path.lexists(path)
        if resume and not exists:
            raise JournalFileError(path, "is not there", f"a run begins one with --journal {path}")
        if exists and not resume:
            remedy = f"go on with --resume {path}, or name another file"
            raise JournalFileError(path, "is there already", remedy)
        self._resume = resume
        self._again = again
        self._surroundings = surroundings()
        self._journal = Journal.open(path, surroundings=self._surroundings)

    def __enter__(self) -> Keeping:
        return self

    def __exit__(self, *exception: object) -> None:
        self._journal.close()

    @property
    def trouble(self) -> str | None:
        """Why results could not be kept; None if all were."""
        return self._journal.trouble

    def history(self) -> Iterator[str]:
        """What is to be told of the run before."""
        if self._journal.last_run is not None:
            yield from self._journal.last_run.told(self._surroundings)

    async def known(self, job: Job) -> Known:
        """What is kept for a job."""
        if not self._resume or job.task is None:
            return Known(None)
        recalled = await self._journal.recall(_identity(job), self._content(job))
        result = recalled.result
        if result is not None and self._again and not result.success:
            result = None
        return Known(result, recalled.changed)

    def started(self, job: Job) -> Execution:
        """A job starts."""
        return self._journal.started(_identity(job), self._content(job))

    async def finished(self, execution: Execution, result: SpawnResult) -> None:
        """It has a result: wait until that is safe."""
        await self._journal.finished(execution, result)

    def _content(self, job: Job) -> Content:
        assert job.task is not None
        return content_of(job.task)


def open_keeping(options: RunOptions) -> AbstractContextManager[Keeping | None]:
    """The journal that a run is to have; None in the place of none.

    Raises:
        JournalError: As `Keeping`.
    """
    if options.journal is None:
        return nullcontext()
    return Keeping(options.journal, resume=options.resume, again=options.resume_failed)


def _identity(job: Job) -> str | int:
    return job.index if job.id is None else str(job.id)
