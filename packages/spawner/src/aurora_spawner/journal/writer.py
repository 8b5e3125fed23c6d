"""One thread that owns the database, and commits for everybody who waits: group commit.

A commit waits for the disk, which must not hold up the event loop; and one commit can serve all
who came while the last one was under way. Nothing is said to be done before its commit is.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar

__all__ = ["Work", "Writer"]

_T = TypeVar("_T")

Work: TypeAlias = Callable[[sqlite3.Connection], _T]
"""Something to do with the database, inside a transaction that others may share."""


class Writer:
    """Runs from its making to `close`.

    Args:
        connection: In autocommit mode (`isolation_level=None`); not to be used by anyone else
            before `close` has returned.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._jobs: SimpleQueue[tuple[Work[Any], Future[Any]] | None] = SimpleQueue()
        # A daemon: a journal that nobody closed must not keep a program from ending.
        self._thread = threading.Thread(target=self._labour, name="journal", daemon=True)
        self._thread.start()

    def submit(self, work: Work[_T]) -> Future[_T]:
        """Have something done, after all that was submitted before.

        Returns:
            A future with what `work` returned, once that is committed; or with what went wrong,
            once that is undone. It cannot be cancelled.
        """
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()
        self._jobs.put((work, future))
        return future

    def close(self) -> None:
        """Finish what was submitted and end the thread; nothing may be submitted any more."""
        self._jobs.put(None)
        self._thread.join()

    def _labour(self) -> None:
        while True:
            waiting = [self._jobs.get()]
            while True:
                try:
                    waiting.append(self._jobs.get_nowait())
                except Empty:
                    break
            self._do([job for job in waiting if job is not None])
            if waiting[-1] is None:
                return

    def _do(self, jobs: list[tuple[Work[Any], Future[Any]]]) -> None:
        try:
            values = self._commit([work for work, _ in jobs])
        except Exception as error:
            if len(jobs) == 1:
                jobs[0][1].set_exception(error)
            else:
                # One of them is at fault, or too large for the disk; the others need not suffer.
                for job in jobs:
                    self._do([job])
        else:
            for (_, future), value in zip(jobs, values, strict=True):
                future.set_result(value)

    def _commit(self, works: list[Work[Any]]) -> list[Any]:
        self._connection.execute("BEGIN")
        try:
            values = [work(self._connection) for work in works]
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back already after some errors, a full disk for one.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return values
