"""The store of all processes of one machine: a SQLite file.

Every change is one short transaction that takes the write lock at its start (BEGIN IMMEDIATE), so
that processes and threads take turns and nothing is lost, whoever is killed. A question, and a
change that turns out to change nothing, reads without any lock (WAL). Commits are not flushed to
the disk one by one: what a crash of the machine can take away is the last moments, never the
file's order; a crash of a process takes nothing.

The file must lie on a disk of this machine: WAL does not work over a network.
"""

import json
import os
import sqlite3
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..codec import from_plain, to_plain
from ..state import HEALTHY, Change, State, admit, idle_since
from .boot_clock import Agreement, agree, now, this_boot
from .protocol import SURROGATES, StoreDownError

__all__ = ["SqliteStore"]

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

# Seconds an agent is remembered at least, see `MemoryStore`.
KEEP = 3600.0

# Writes between two looks for agents that were left alone, or as many as there are agents: so
# looking costs each write a constant share.
SWEEP_EVERY = 1000

# Seconds between two attempts while another one has the file. A turn takes some 50 µs; SQLite's own
# waiting begins with 1 ms and goes up to 100, which with eight writers leaves the lock idle mostly,
# and it does not wait at all where processes make a new file at the same time.
TURN = 0.0002

# `state` is JSON but for its times, which are doubles as the machine writes them: JSON takes ten
# times as long for those. `written` is when the row was, `idle` since when it is left alone; both
# on the clock of the store.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS circuits(
    agent_id BLOB PRIMARY KEY, state TEXT, times BLOB, written REAL, idle REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock(
    id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT, monotonic REAL, ahead REAL
);
"""

_READ = "SELECT state, times FROM circuits WHERE agent_id = ?"
_WRITE = "INSERT OR REPLACE INTO circuits VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM circuits WHERE agent_id = ?"
_SWEEP = "DELETE FROM circuits WHERE idle < ?"


class _Session(NamedTuple):
    """What one process holds; a child that was forked off opens its own."""

    process: int
    lock: threading.Lock
    connection: sqlite3.Connection
    clock: Agreement


# Sessions of parents. To close one here would pull the locks from under the parent.
_inherited: list[_Session] = []


class SqliteStore:
    """Keeps states in a SQLite file, for the threads and processes of one machine.

    The file is opened when it is first needed. The clock is one that all processes agree on and
    that no setting of the wall clock moves, see `boot_clock`.

    Args:
        path: The file; it is made if it is not there, its folder is not.
        patience: Seconds to wait for others to end their turns before the store counts as down.
        keep: Seconds after which an agent that was left alone is forgotten. Must exceed every
            failure window, and should exceed every lease.
    """

    held = None

    def __init__(
        self, path: str | os.PathLike[str], *, patience: float = 5.0, keep: float = KEEP
    ) -> None:
        self._path = Path(path)
        self._patience = patience
        self._keep = keep
        self._opening = threading.Lock()
        self._session: _Session | None = None
        self._until_sweep = SWEEP_EVERY

    def update(
        self, agent_id: str, change: Change[Argument], argument: Argument
    ) -> tuple[State, State, float]:
        """See `Store.update`."""
        # Who asks changes nothing mostly, and needs no turn to find that out.
        look_first = change is admit

        def work(session: _Session) -> tuple[State, State, float]:
            connection = session.connection
            if look_first:
                before = _read(connection, agent_id)
                moment, after = _changed(session, before, change, argument)
                if after is before:
                    return before, after, moment
            connection.execute("BEGIN IMMEDIATE")
            before = _read(connection, agent_id)
            moment, after = _changed(session, before, change, argument)
            if after is not before:
                self._write(connection, agent_id, after, moment)
            connection.execute("COMMIT")
            return before, after, moment

        return self._run(work)

    def look(self, agent_id: str, /) -> tuple[State, float]:
        """See `Store.look`."""
        return self._run(lambda session: (_read(session.connection, agent_id), now(session.clock)))

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        return self._run(
            lambda session: iter(
                [
                    row[0].decode("utf-8", SURROGATES)
                    for row in session.connection.execute("SELECT agent_id FROM circuits")
                ]
            )
        )

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._opening:
            session, self._session = self._session, None
            if session is not None and session.process == os.getpid():
                with session.lock:
                    session.connection.close()

    def _run(self, work: Callable[[_Session], Answer]) -> Answer:
        give_up = None
        try:
            while True:
                try:
                    return self._once(work)
                except sqlite3.OperationalError as error:
                    if give_up is None:
                        give_up = time.monotonic() + self._patience
                    # The last byte is the error, whatever it was busy with.
                    is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                    if not is_busy or time.monotonic() > give_up:
                        raise
                time.sleep(TURN)
        except (sqlite3.Error, OSError) as error:
            raise StoreDownError(f"{self._path}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise StoreDownError(f"{self._path} holds what is no state: {error!r}") from error

    def _once(self, work: Callable[[_Session], Answer]) -> Answer:
        """Work as a whole or, if anything fails, not at all."""
        session = self._session
        if session is None or session.process != os.getpid():
            session = self._open()
        with session.lock:
            try:
                return work(session)
            except BaseException:
                if session.connection.in_transaction:
                    session.connection.execute("ROLLBACK")
                raise

    def _open(self) -> _Session:
        with self._opening:
            session = self._session
            if session is not None:
                if session.process == os.getpid():
                    return session
                _inherited.append(session)
                self._session = None
            # No transactions and no waits but our own; the lock sees to it that threads take turns.
            connection = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                clock = _agreed(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._session = _Session(os.getpid(), threading.Lock(), connection, clock)
            return self._session

    def _write(
        self, connection: sqlite3.Connection, agent_id: str, state: State, moment: float
    ) -> None:
        if state is HEALTHY:
            connection.execute(_DELETE, (_key(agent_id),))
            return
        plain = to_plain(state)
        times = array("d", plain.pop("times", ())).tobytes()
        row = _key(agent_id), json.dumps(plain), times, moment, idle_since(state)
        connection.execute(_WRITE, row)
        self._until_sweep -= 1
        if self._until_sweep <= 0:
            connection.execute(_SWEEP, (moment - self._keep,))
            left = connection.execute("SELECT count(*) FROM circuits").fetchone()[0]
            self._until_sweep = max(SWEEP_EVERY, left)


def _key(agent_id: str) -> bytes:
    return agent_id.encode("utf-8", SURROGATES)


def _read(connection: sqlite3.Connection, agent_id: str) -> State:
    row = connection.execute(_READ, (_key(agent_id),)).fetchone()
    return (
        HEALTHY if row is None else from_plain({**json.loads(row[0]), "times": array("d", row[1])})
    )


def _changed(
    session: _Session, before: State, change: Change[Argument], argument: Argument
) -> tuple[float, State]:
    moment = now(session.clock)
    # Microseconds are greater than any number that was given before and forgotten since.
    fresh = max(before.generation + 1, int(moment * 1e6))
    return moment, change(before, moment, fresh, argument)


def _agreed(connection: sqlite3.Connection) -> Agreement:
    """The clock of this boot, which is fixed if nobody did so yet."""
    boot, monotonic = this_boot(), time.monotonic()
    latest = connection.execute("SELECT max(written) FROM circuits").fetchone()[0] or 0.0
    row = connection.execute("SELECT boot, monotonic, ahead FROM clock").fetchone()
    if row is not None:
        known = Agreement(*row)
        if known.holds(boot, monotonic):
            return known
        latest = max(latest, known.monotonic + known.ahead)
    clock = agree(boot, monotonic, time.time(), latest)
    connection.execute("INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)", clock)
    return clock
