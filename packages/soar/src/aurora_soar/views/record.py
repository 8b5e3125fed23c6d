"""The results of a run for programs: version 1, which is only added to; pure.

Times are milliseconds; an agent's are those of its attempts and its fallback together, without the
waits between them. What nobody knows is null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aurora_soar.graph import critical_path
from aurora_soar.results import Outcome
from aurora_soar.views.board import Board, Row, Spent
from aurora_soar.views.changes import change_fields
from aurora_soar.views.excerpt import last_lines
from aurora_soar.views.timeline import Kind, Stretch, Timeline
from aurora_soar.workplaces import Changes
from aurora_spawner import SpawnResult

__all__ = ["record"]

_VERSION = 1

# Lines of what a failed attempt said that are kept beside its log, the last ones.
_TAIL = 40


def record(
    board: Board,
    *,
    run: str,
    plan: str,
    started: datetime,
    seconds: float,
    exit_code: int,
    timeline: Timeline | None = None,
    about: Mapping[str, Any] | None = None,
    clean: Callable[[str], str] = str,
) -> dict[str, Any]:
    """What became of everything, as plain data.

    Args:
        board: The run, over.
        timeline: What happened when; without it no subgoal has a history.
        about: What else there is to say of the run: `plan_text`, `command`, `environment`.
        run: Its id.
        plan: The plan file, as the user named it.
        started: When it began; any time zone.
        seconds: How long it took.
        exit_code: How the command ends.
        clean: Takes out of agents' words what is not to be kept.
    """
    totals = board.totals()
    return {
        "v": _VERSION,
        "run": run,
        "name": board.name,
        "plan": plan,
        "started": started.isoformat(timespec="milliseconds"),
        "duration_ms": _milliseconds(seconds),
        "agent_ms": _milliseconds(board.agent_seconds()),
        "exit_code": exit_code,
        "max_concurrent": board.limit,
        **board.spent().fields(),
        "untold_costs": board.spent().untold,
        "budget_usd": board.budget_usd,
        "kept": totals.kept,
        "critical_path": _critical_path(board),
        "totals": {
            "subgoals": len(board.rows),
            "ok": totals.ok,
            "flaky": totals.flaky,
            "by_fallback": totals.by_fallback,
            "failed": totals.failed,
            "blocked": totals.blocked,
            "skipped": totals.skipped,
            "unfinished": totals.unfinished,
        },
        "subgoals": [
            _subgoal(board, row, timeline.of(position) if timeline else [], clean)
            for position, row in enumerate(board.rows)
        ],
        "changes": [
            {
                "at_ms": _milliseconds(change.at - board.started),
                **change_fields(change.event, clean),
            }
            for change in (timeline.changes if timeline else ())
        ],
        **(about or {}),
    }


def _critical_path(board: Board) -> list[str]:
    """Ids of the chain that took longest: with any number of slots, the run takes no less."""
    places = {row.id: position for position, row in enumerate(board.rows)}
    path = critical_path(
        [[places[needed] for needed in row.needs] for row in board.rows],
        [row.seconds(row.finished or board.started) or 0.0 for row in board.rows],
    )
    return [board.rows[position].id for position in path]


def _subgoal(
    board: Board, row: Row, stretches: list[Stretch], clean: Callable[[str], str]
) -> dict[str, Any]:
    output = row.output
    result = output.result if output else None
    seconds = row.seconds(row.finished or board.started)
    return {
        "id": row.id,
        "agent": row.agent,
        "depends_on": list(row.needs),
        "outcome": str(row.state),
        "error": clean(output.error) if output and output.error is not None else None,
        "output": clean(output.output) if output else "",
        **_of_tool(result),
        "exit_code": result.exit_code if result else None,
        **row.spent.fields(),
        "attempts": row.attempt,
        "flaky": row.is_flaky,
        "fallback": row.is_fallback,
        "kept": row.is_kept,
        "answered_by": output.answered_by if output else None,
        "changes": _changes(output.changes if output else None),
        "started_ms": None if row.started is None else _milliseconds(row.started - board.started),
        "duration_ms": None if seconds is None else _milliseconds(seconds),
        "agent_ms": _milliseconds(row.agent_seconds),
        "warnings": [clean(warning) for warning in row.warnings],
        "log": row.log,
        "history": [_stretch(board, stretch, clean) for stretch in stretches],
    }


def _changes(changes: Changes | None) -> dict[str, Any] | None:
    """What was changed in a worktree: where it is, and which files; the patch is in the branch."""
    if changes is None:
        return None
    return {
        "branch": changes.branch,
        "base": changes.base,
        "commit": changes.commit,
        "files": list(changes.files),
    }


def _stretch(board: Board, stretch: Stretch, clean: Callable[[str], str]) -> dict[str, Any]:
    """A stretch of time; one in which an agent was asked has more to say."""
    end = stretch.start if stretch.end is None else stretch.end
    told: dict[str, Any] = {
        "kind": str(stretch.kind),
        "start_ms": _milliseconds(stretch.start - board.started),
        "end_ms": _milliseconds(end - board.started),
    }
    if stretch.reason:
        told["reason"] = clean(stretch.reason)
    if stretch.kind not in (Kind.ATTEMPT, Kind.FALLBACK):
        return told
    result = stretch.result
    said = f"{result.output}\n{result.stderr}" if result and not result.success else ""
    return {
        **told,
        "attempt": stretch.attempt,
        "agent": stretch.agent,
        "outcome": _outcome(stretch),
        "error": clean(result.error) if result and result.error is not None else None,
        **_of_tool(result),
        "exit_code": result.exit_code if result else None,
        **(Spent.by(result) if result else Spent()).fields(),
        "log": stretch.log,
        "tail": clean(last_lines(said, _TAIL)).strip("\n"),
    }


def _outcome(stretch: Stretch) -> str:
    if stretch.result is None:
        # Of a fallback that failed, only the subgoal's own error tells; an attempt was cut.
        return str(Outcome.FAILED if stretch.kind is Kind.FALLBACK else Outcome.UNFINISHED)
    return str(Outcome.OK if stretch.result.success else Outcome.FAILED)


def _of_tool(result: SpawnResult | None) -> dict[str, Any]:
    names = ("tool", "tool_version", "model", "session_id")
    return {name: getattr(result, name, None) for name in names}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
