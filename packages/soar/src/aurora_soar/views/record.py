"""The results of a run for programs: version 1, which is only added to; pure.

Times are milliseconds; an agent's are those of its attempts and its fallback together, without the
waits between them. What nobody knows is null.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from aurora_soar.views.board import Board, Row

__all__ = ["record"]

_VERSION = 1


def record(
    board: Board,
    *,
    run: str,
    plan: str,
    started: datetime,
    seconds: float,
    exit_code: int,
    clean: Callable[[str], str] = str,
) -> dict[str, Any]:
    """What became of everything, as plain data.

    Args:
        board: The run, over.
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
        "subgoals": [_subgoal(board, row, clean) for row in board.rows],
    }


def _subgoal(board: Board, row: Row, clean: Callable[[str], str]) -> dict[str, Any]:
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
        "tool": result.tool if result else None,
        "exit_code": result.exit_code if result else None,
        "attempts": row.attempt,
        "flaky": row.is_flaky,
        "fallback": row.is_fallback,
        "started_ms": None if row.started is None else _milliseconds(row.started - board.started),
        "duration_ms": None if seconds is None else _milliseconds(seconds),
        "agent_ms": _milliseconds(row.agent_seconds),
        "warnings": [clean(warning) for warning in row.warnings],
        "log": row.log,
    }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
