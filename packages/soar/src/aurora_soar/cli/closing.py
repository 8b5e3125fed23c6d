"""The last lines of a run: what came of it, where that is, and what to do next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.preflight import with_agent_cli
from aurora_soar.runs import RunFolder, RunRequest
from aurora_soar.views import Board, Glyphs, State, changed_words, next_commands, summary
from aurora_spawner import safe_line

__all__ = ["closing_lines"]

# Subgoals whose changes are named; others are counted.
_NAMED = 3

# Final answers are named up to this many; a plan with more has no last word.
_ANSWERS = 3


def closing_lines(
    board: Board,
    prepared: Prepared,
    request: RunRequest,
    folder: RunFolder,
    glyphs: Glyphs,
    now: float,
) -> Iterator[Text]:
    """What people read when a run is over, `now` on the monotonic clock."""
    yield from summary(board, now, glyphs)
    outcomes = {row.id: str(row.state) for row in board.rows}
    if commands := next_commands(folder.id, outcomes):
        yield Text(f"Next: {f' {glyphs.dot} '.join(commands)}")
    yield Text(f"Results: {os.path.relpath(folder.results)}")
    for path in _answers(board, folder):
        yield Text(f"Answer:  {os.path.relpath(path)}")
    yield from _changes(board, folder)
    yield from _blocked(board, prepared, request)
    if prepared.chosen_tool == "extract":
        yield Text(with_agent_cli(f"aurora-soar run {shlex.quote(request.plan_file)}"))


def _answers(board: Board, folder: RunFolder) -> list[Path]:
    """Where the answers are that the plan leads to: those that no subgoal builds on."""
    built_on = {needed for row in board.rows for needed in row.needs}
    answers = [
        folder.output(position)
        for position, row in enumerate(board.rows)
        if row.state is State.OK and row.id not in built_on
    ]
    return answers if len(answers) <= _ANSWERS else []


def _changes(board: Board, folder: RunFolder) -> Iterator[Text]:
    """What to do with changes in worktrees."""
    changed = [row for row in board.rows if row.state is State.OK and row.changed]
    if changed:
        files = changed_words(sum(row.changed for row in changed))
        by = ", ".join(safe_line(row.id) for row in changed[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        command = f"aurora-soar apply {folder.id}"
        yield Text(f"Changes: {files} by {by}{more}; take them over: {command}")


def _blocked(board: Board, prepared: Prepared, request: RunRequest) -> Iterator[Text]:
    """What to do about circuits of earlier runs."""
    blocked = [place for place, row in enumerate(board.rows) if row.state is State.BLOCKED]
    programs = [bool(prepared.agents[place].config.get("command")) for place in blocked]
    # Of a program the next run knows nothing, unless it is isolated.
    if request.shared_circuits and not all(programs):
        yield Text("Blocked agents are asked again after: aurora-soar circuits reset")
