"""The run as JSON lines for programs that watch it: version 1, which is only added to.

Every line has `v`, `seq` (from 1, without gaps), `ts` (UTC), `run` and `type`. Times end in `_ms`,
tokens are counts, and what nobody knows is null: an unknown cost is never 0. The fields of each
type stand in the README; those of tools, circuits and the budget in `changes`.

Lines are ASCII, so that no control character reaches a terminal, whatever an agent is called.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aurora_soar.events import (
    BudgetWarned,
    CircuitChanged,
    RunEvent,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
)
from aurora_soar.results import Outcome
from aurora_soar.views.board import Board, Row, Spent
from aurora_soar.views.changes import change_fields
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    RetryScheduled,
    SpawnResult,
)

__all__ = ["EventStream"]

_VERSION = 1


class EventStream:
    """Writes a line for each event that programs can rely on.

    Args:
        board: The run; it notes each event before the stream does.
        run: The run's id.
        write: Takes a line with its newline, and passes it on at once. What it raises comes out.
        clean: Takes out of agents' words what is not to be told.
        wall: What time it is, UTC.
    """

    def __init__(
        self,
        board: Board,
        run: str,
        write: Callable[[str], object],
        clean: Callable[[str], str] = str,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._board = board
        self._run = run
        self._write = write
        self._clean = clean
        self._wall = wall
        self._seq = 0

    def start(self, plan: str) -> None:
        """The run begins; `plan` is the file, as the user named it."""
        board = self._board
        self._line(
            "run.started",
            name=board.name,
            plan=plan,
            subgoals=len(board.rows),
            max_concurrent=board.limit,
            budget_usd=board.budget_usd,
        )

    def saw(self, event: RunEvent, now: float) -> None:
        """Something happened, and the board knows of it."""
        match event:
            case SubgoalStarted(position):
                row = self._board.rows[position]
                self._line("subgoal.started", subgoal=row.id, agent=row.agent, tool=row.tool)
            case SubgoalEvent(position, inner):
                self._heard(self._board.rows[position], inner)
            case SubgoalFinished(position):
                self._finished(self._board.rows[position], event, now)
            case ToolParked() | ToolResumed() | CircuitChanged() | BudgetWarned():
                fields = change_fields(event, self._clean)
                self._line(fields.pop("type"), **fields)

    def finish(self, exit_code: int, now: float) -> None:
        """The run has ended."""
        board, totals = self._board, self._board.totals()
        self._line(
            "run.finished",
            outcome=str(Outcome.OK if totals.ok == len(board.rows) else Outcome.FAILED),
            exit_code=exit_code,
            duration_ms=round((now - board.started) * 1000),
            **board.spent().fields(),
            ok=totals.ok,
            flaky=totals.flaky,
            by_fallback=totals.by_fallback,
            kept=totals.kept,
            failed=totals.failed,
            blocked=totals.blocked,
            skipped=totals.skipped,
            unfinished=totals.unfinished,
        )

    def _heard(self, row: Row, event: Event) -> None:
        who = {"subgoal": row.id, "agent": row.stand_in or row.agent}
        match event:
            case AttemptStarted(attempt, attempts):
                self._line(
                    "attempt.started", **who, attempt=attempt, attempts=attempts, tool=row.tool
                )
            case AttemptFinished(attempt, attempts, result):
                self._line(
                    "attempt.finished",
                    **who,
                    attempt=attempt,
                    attempts=attempts,
                    outcome=str(Outcome.OK if result.success else Outcome.FAILED),
                    **self._of_result(result),
                    duration_ms=round(result.execution_time * 1000),
                    **Spent.by(result).fields(),
                    log=row.log,
                )
            case RetryScheduled(retry, _, delay, reason):
                self._line(
                    "retry.scheduled",
                    **who,
                    attempt=retry + 1,
                    delay_ms=round(delay * 1000),
                    reason=self._clean(reason),
                )
            case _:
                pass

    def _finished(self, row: Row, event: SubgoalFinished, now: float) -> None:
        result = event.output.result
        seconds = row.seconds(now)
        fields = self._of_result(result)
        error = event.output.error
        self._line(
            "subgoal.finished",
            subgoal=row.id,
            agent=row.agent,
            attempt=row.attempt,
            outcome=str(event.output.outcome),
            **{**fields, "error": None if error is None else self._clean(error)},
            flaky=row.is_flaky,
            fallback=row.is_fallback,
            kept=row.is_kept,
            duration_ms=None if seconds is None else round(seconds * 1000),
            **row.spent.fields(),
            log=row.log,
        )

    def _of_result(self, result: SpawnResult | None) -> dict[str, Any]:
        if result is None:
            return {"tool": None, "model": None, "exit_code": None, "error": None}
        return {
            "tool": result.tool,
            "model": result.model,
            "exit_code": result.exit_code,
            "error": None if result.error is None else self._clean(result.error),
        }

    def _line(self, kind: str, **fields: Any) -> None:
        self._seq += 1
        moment = self._wall().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head: Mapping[str, Any] = {
            "v": _VERSION,
            "seq": self._seq,
            "ts": moment,
            "run": self._run,
            "type": kind,
        }
        self._write(json.dumps({**head, **fields}) + "\n")
