"""Results that survive a crash: one SQLite file per run of a program, and what resume needs.

The rules:

- A result is acknowledged after its commit, which the disk has confirmed (`synchronous=FULL`).
  Whatever ends the program, an acknowledged result is there; a task whose result was not
  acknowledged runs again (at least once).
- A result is kept for a task of the same identity and the same content (`content`). A task named
  by its position is the same wherever in the input it stands: a line put in front moves the
  others, and changes none.
- A journal that cannot be written is told once and stops nobody: results still reach the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from aurora_spawner.errors import InvalidTaskError, JournalError, JournalFileError
from aurora_spawner.journal import tables
from aurora_spawner.journal.content import Content
from aurora_spawner.journal.database import as_journal_error, open_database
from aurora_spawner.journal.lock import Lock
from aurora_spawner.journal.records import from_text, to_text
from aurora_spawner.journal.tables import Execution, Identity, LastRun
from aurora_spawner.journal.writer import Work, Writer
from aurora_spawner.models import SpawnResult

__all__ = ["Journal", "Recalled", "resumed"]

_T = TypeVar("_T")
_log = logging.getLogger("aurora_spawner")

# Rows of an export read at once: few, because one may hold megabytes.
_EXPORT_ROWS = 16


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the journal knows of a task.

    Attributes:
        result: The kept result; None: the task has to run.
        changed: Where it has to run, the names of the parts that differ from what last ran under
            this identity; empty if nothing ever did, or if that gave no result.
        before: Where it has to run, what that gave; None if it gave nothing.
    """

    result: SpawnResult | None
    changed: tuple[str, ...] = ()
    before: SpawnResult | None = None


class Journal:
    """An open journal; a context manager, made by `open`.

    Its methods are for one thread, and the asynchronous ones wait in real time.

    Attributes:
        path: The file, its folder resolved.
        last_run: The run before this one, see `LastRun`; None: there was none.
        trouble: Why results could not be written, for people; None as long as all were.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        lock: Lock,
        run: int,
        last_run: LastRun | None,
    ) -> None:
        self.path = path
        self.last_run = last_run
        self.trouble: str | None = None
        self._connection = connection
        self._lock = lock
        self._run = run
        self._numbers = itertools.count(tables.newest_execution(connection) + 1)
        # Which position was given the result of which execution.
        self._given: dict[int, int] = {}
        self._telling = threading.Lock()
        self._closed = False
        self._writer = Writer(connection)

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, surroundings: Mapping[str, str] | None = None
    ) -> Journal:
        """Open a journal, or make one with mode 0600, and begin a run in it.

        Reads all of it once to check it, so do it before the work starts.

        Args:
            path: The file; its folder must be there. While the journal is open, `-wal` and
                `-lock` files stand beside it.
            surroundings: What was the case when this run began, for example the state of the
                repository; recorded, told by the next run's `last_run`, no part of any key.

        Raises:
            JournalInUseError: Another run holds it.
            JournalDamagedError: It does not hold what was written.
            JournalVersionError: A newer version wrote it.
            JournalFileError: It is a symbolic link, no regular file, no journal, or out of reach.
        """
        named = Path(path)
        with contextlib.ExitStack() as undo:
            try:
                # The folder may be reached through links; the file may not.
                whole = Path(os.path.realpath(named.parent, strict=True)) / named.name
                lock = Lock(whole)
                undo.callback(lock.release)
                connection, leftover = open_database(whole)
                undo.callback(connection.close)
                before = tables.last_run(connection, cut_off=leftover.cut)
                run = tables.begin_run(connection, os.getpid(), time.time(), surroundings or {})
                journal = cls(whole, connection, lock, run, before)
            except OSError as error:
                raise _out_of_reach(named, error) from error
            except sqlite3.Error as error:
                raise as_journal_error(named, error) from error
            undo.pop_all()
        return journal

    def close(self) -> None:
        """Commit what waits, end the run and let go of the file; a second time does nothing."""
        if self._closed:
            return
        self._write(lambda connection: tables.end_run(connection, self._run, time.time()))
        self._closed = True
        try:
            self._writer.close()
            self._connection.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def recall(self, identity: Identity, content: Content) -> Recalled:
        """Say what is known of a task; asking twice gives the same.

        For a position, a result that an earlier run kept for the same content at another
        position counts too, each for one position only.

        Raises:
            InvalidTaskError: The identity is no text that can be written.
            JournalError: The journal cannot be read.
        """
        _check_identity(identity)
        asked = self._submit(lambda connection: self._recall(connection, identity, content))
        try:
            return await asyncio.wrap_future(asked)
        except sqlite3.Error as error:
            raise as_journal_error(self.path, error) from error

    def started(self, identity: Identity, content: Content) -> Execution:
        """Note that a task starts, for the case that it is interrupted; not waited for.

        Raises:
            InvalidTaskError: The identity is no text that can be written.
        """
        _check_identity(identity)
        execution = Execution(next(self._numbers), self._run, identity, content, time.time())
        self._write(lambda connection: tables.write(connection, execution))
        return execution

    async def finished(self, execution: Execution, result: SpawnResult) -> bool:
        """Record what became of a task. A cancellation ends the waiting, not the writing.

        Returns:
            True once it is committed. False: it could not be written; see `trouble`.
        """
        ended = time.time()
        written = self._write(
            lambda connection: tables.write(connection, execution, ended, to_text(result))
        )
        try:
            await asyncio.wrap_future(written)
        except sqlite3.Error:
            return False
        return True

    def export(self) -> Iterator[dict[str, Any]]:
        """Everything that was run, in order, for JSON lines; blocks while it reads.

        Yields:
            `v` (1), `execution` and `run` (numbers), `identity`, `key`, `began` and `ended`
            (seconds since 1970), `result` (the fields of a `SpawnResult`); the last two are None
            where there is no result.
        """
        after = 0
        while rows := self._submit(partial(tables.page, after=after, rows=_EXPORT_ROWS)).result():
            yield from rows
            after = rows[-1]["execution"]

    def _submit(self, work: Work[_T]) -> Future[_T]:
        if self._closed:
            raise JournalError(str(self.path), "is closed", "open it again")
        return self._writer.submit(work)

    def _write(self, work: Work[None]) -> Future[None]:
        written = self._submit(work)
        written.add_done_callback(self._tell)
        return written

    def _tell(self, written: Future[None]) -> None:
        """Tell the first failure; called from either thread."""
        error = written.exception()
        with self._telling:
            if error is None or self.trouble is not None:
                return
            self.trouble = (
                f"journal {self.path} cannot be written ({error}): what ends from now on may have "
                "to run again after a crash"
            )
        _log.warning("%s", self.trouble)

    def _recall(
        self, connection: sqlite3.Connection, identity: Identity, content: Content
    ) -> Recalled:
        for number in tables.results_for(connection, identity, content.key, self._run):
            if isinstance(identity, str) or self._given.setdefault(number, identity) == identity:
                return Recalled(from_text(SpawnResult, tables.result_of(connection, number)))
        latest = tables.latest(connection, identity)
        if latest is None:
            return Recalled(None)
        parts, text = latest
        before = None if text is None else from_text(SpawnResult, text)
        return Recalled(None, content.changes(parts), before)


async def resumed(
    journal: Journal,
    identity: Identity,
    content: Content,
    run: Callable[[], Awaitable[SpawnResult]],
    *,
    keep: Callable[[SpawnResult], bool] = lambda result: True,
) -> SpawnResult:
    """The kept result of a task; otherwise run it and record what came out.

    Args:
        journal: The journal.
        identity: The task.
        content: What it is asked.
        run: Runs it. What it raises is not recorded: the task runs again next time.
        keep: Which kept results are good enough; a failed one is, unless this says otherwise.

    Raises:
        JournalError: The journal cannot be read.
    """
    known = (await journal.recall(identity, content)).result
    if known is not None and keep(known):
        return known
    execution = journal.started(identity, content)
    result = await run()
    await journal.finished(execution, result)
    return result


def _check_identity(identity: Identity) -> None:
    try:
        str(identity).encode()
    except UnicodeEncodeError:
        raise InvalidTaskError("identity", f"{identity!r} cannot be written as UTF-8") from None


def _out_of_reach(path: Path, error: OSError) -> JournalFileError:
    if error.errno == errno.ELOOP:
        link = f"is reached through a symbolic link ({error.filename})"
        return JournalFileError(str(path), link, "name the file itself")
    reason = error.strerror or str(error)
    return JournalFileError(
        str(path), f"cannot be opened ({reason})", "name a file that can be written"
    )
