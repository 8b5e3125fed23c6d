"""The journal's tables, and every statement that reads or writes them.

One row of `executions` is one time that a task was run; rows are added and completed, never
removed, and the newest result counts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from aurora_spawner.journal.content import Content
from aurora_spawner.journal.records import seal

__all__ = [
    "SCHEMA",
    "Execution",
    "Identity",
    "LastRun",
    "altered",
    "begin_run",
    "end_run",
    "last_run",
    "latest",
    "newest_execution",
    "page",
    "result_of",
    "results_for",
    "write",
]

Identity: TypeAlias = str | int
"""What a task is called within its run: a name, or its position in the input."""

SCHEMA: Mapping[str, str] = {
    "runs": """CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    began REAL NOT NULL,
    ended REAL,
    surroundings TEXT NOT NULL,
    seal BLOB NOT NULL
)""",
    "executions": """CREATE TABLE executions (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    identity NOT NULL,
    key TEXT NOT NULL,
    parts TEXT NOT NULL,
    began REAL NOT NULL,
    ended REAL,
    result TEXT,
    seal BLOB NOT NULL
)""",
    "executions_by_identity": "CREATE INDEX executions_by_identity ON executions (identity)",
    "executions_by_key": "CREATE INDEX executions_by_key ON executions (key, identity)",
}
"""The statement for each table and index, by its name."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """The run before this one; those that started nothing are passed over for one that did.

    Attributes:
        pid: Its process.
        began: When, seconds since 1970.
        ended: When it closed the journal; None: it was killed.
        surroundings: What was recorded with it.
        interrupted: The tasks that it had started and that gave no result.
        cut_off: It was ended in the middle of a write, which was rolled back.
    """

    pid: int
    began: float
    ended: float | None
    surroundings: Mapping[str, str]
    interrupted: tuple[Identity, ...]
    cut_off: bool

    def told(self, surroundings: Mapping[str, str]) -> Iterator[str]:
        """What is to be told of it, given the surroundings of the run after it."""
        if self.cut_off:
            yield "the last run was killed in the middle of a write, which is rolled back"
        for name in sorted({*self.surroundings} & {*surroundings}):
            before, now = self.surroundings[name], surroundings[name]
            if before != now:
                yield f"{name} was {before} then and is {now} now"


@dataclass(frozen=True, slots=True)
class Execution:
    """A task that runs.

    Attributes:
        number: Counts through the journal, from 1.
        run: The run that it belongs to.
        identity: The task.
        content: What it is asked.
        began: When it started, seconds since 1970.
    """

    number: int
    run: int
    identity: Identity
    content: Content
    began: float


def begin_run(
    connection: sqlite3.Connection, pid: int, began: float, surroundings: Mapping[str, str]
) -> int:
    """Begin a run; its number."""
    (newest,) = connection.execute("SELECT max(id) FROM runs").fetchone()
    row = ((newest or 0) + 1, pid, began, None, json.dumps(dict(surroundings)))
    connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", (*row, seal(*row)))
    return row[0]


def end_run(connection: sqlite3.Connection, run: int, ended: float) -> None:
    """End a run in good order."""
    pid, began, surroundings = connection.execute(
        "SELECT pid, began, surroundings FROM runs WHERE id = ?", (run,)
    ).fetchone()
    connection.execute(
        "UPDATE runs SET ended = ?, seal = ? WHERE id = ?",
        (ended, seal(run, pid, began, ended, surroundings), run),
    )


def last_run(connection: sqlite3.Connection, *, cut_off: bool) -> LastRun | None:
    """The newest run that started something, else the newest; None if there is none."""
    row = connection.execute(
        "SELECT id, pid, began, ended, surroundings FROM runs "
        "WHERE id = coalesce((SELECT run FROM executions ORDER BY id DESC LIMIT 1), "
        "(SELECT max(id) FROM runs))"
    ).fetchone()
    if row is None:
        return None
    run, pid, began, ended, surroundings = row
    interrupted = connection.execute(
        "SELECT identity FROM executions WHERE run = ? "
        "GROUP BY identity HAVING count(result) = 0 ORDER BY min(id)",
        (run,),
    )
    return LastRun(
        pid=pid,
        began=began,
        ended=ended,
        surroundings=json.loads(surroundings),
        interrupted=tuple(identity for (identity,) in interrupted),
        cut_off=cut_off,
    )


def newest_execution(connection: sqlite3.Connection) -> int:
    """The number of the newest execution; 0 if there is none."""
    (number,) = connection.execute("SELECT max(id) FROM executions").fetchone()
    return number or 0


def write(
    connection: sqlite3.Connection,
    execution: Execution,
    ended: float | None = None,
    result: str | None = None,
) -> None:
    """Write an execution, or complete it if its start is there."""
    row = (
        execution.number,
        execution.run,
        execution.identity,
        execution.content.key,
        json.dumps(dict(execution.content.parts)),
        execution.began,
        ended,
        result,
    )
    connection.execute(
        "INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
        "SET ended = excluded.ended, result = excluded.result, seal = excluded.seal",
        (*row, seal(*row)),
    )


def altered(connection: sqlite3.Connection) -> str | None:
    """Name the first row that is not as it was written; None if all are."""
    for table in ("runs", "executions"):
        for number, *columns, sealed in connection.execute(f"SELECT * FROM {table}"):
            if seal(number, *columns) != sealed:
                return f"row {number} of {table}"
    return None


def results_for(
    connection: sqlite3.Connection, identity: Identity, key: str, run: int
) -> Iterator[int]:
    """The executions whose result may stand for a task: its own newest one, then moved ones.

    Moved are, for a position, those of other positions; but not of this run, whose results
    belong to the positions that ran.
    """
    (own,) = connection.execute(
        "SELECT max(id) FROM executions WHERE key = ? AND identity = ? AND result IS NOT NULL",
        (key, identity),
    ).fetchone()
    if own is not None:
        yield own
    if isinstance(identity, int):
        for (moved,) in connection.execute(
            "SELECT max(id) FROM executions WHERE key = ? AND typeof(identity) = 'integer' "
            "AND result IS NOT NULL AND run < ? GROUP BY identity",
            (key, run),
        ):
            yield moved


def result_of(connection: sqlite3.Connection, number: int) -> str:
    """The text of an execution's result."""
    (text,) = connection.execute("SELECT result FROM executions WHERE id = ?", (number,)).fetchone()
    return str(text)


def latest(
    connection: sqlite3.Connection, identity: Identity
) -> tuple[Mapping[str, str], str | None] | None:
    """What last ran under an identity: its digests, and the text of its result if it gave one."""
    row = connection.execute(
        "SELECT parts, result FROM executions WHERE identity = ? ORDER BY id DESC LIMIT 1",
        (identity,),
    ).fetchone()
    return None if row is None else (json.loads(row[0]), row[1])


def page(connection: sqlite3.Connection, after: int, rows: int) -> list[dict[str, Any]]:
    """The next executions, for export."""
    found = connection.execute(
        "SELECT id, run, identity, key, began, ended, result FROM executions "
        "WHERE id > ? ORDER BY id LIMIT ?",
        (after, rows),
    )
    return [
        {
            "v": 1,
            "execution": number,
            "run": run,
            "identity": identity,
            "key": key,
            "began": began,
            "ended": ended,
            "result": None if result is None else json.loads(result),
        }
        for number, run, identity, key, began, ended, result in found
    ]
