"""The end of a run in a few lines: what failed and where to look, the totals; pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict

from rich.text import Text

from aurora_soar.results import Outcome
from aurora_soar.views.board import Board, Row, State
from aurora_soar.views.theme import STYLES, VERBS, Glyphs, first_line, totals_words
from aurora_spawner import format_duration, safe_line

__all__ = ["next_commands", "summary"]

# Rows of one kind that are listed; the rest is counted.
_LISTED = 20

# Subgoals skipped for one reason that are listed; if there are more, only their number says
# anything.
_LISTED_SKIPS = 3

# The order in which they are listed: the causes before what they led to.
_LISTED_STATES = (State.FAILED, State.BLOCKED, State.UNFINISHED, State.SKIPPED)


def summary(board: Board, now: float, glyphs: Glyphs) -> list[Text]:
    """The subgoals without an answer, then the totals.

    FAIL  tests   1/1  0:44  exit 2
          log: .aurora/runs/k3f9/tests/1/stderr.log
    SKIP  review  needs tests
    6 ok (1 flaky, 1 by fallback), 1 failed, 1 skipped · 21:07 (agent time 58:12) · $6.02 of $12.00
    """
    alike = Counter(_error(row) for row in board.rows if row.state is State.SKIPPED)
    many = {reason: count for reason, count in alike.items() if count > _LISTED_SKIPS}
    missed = [row for row in board.rows if row.state in _LISTED_STATES and not _counted(row, many)]
    width = min(max((len(safe_line(row.id)) for row in missed), default=0), 24)
    verb = max((len(VERBS[row.state]) for row in missed), default=len(VERBS[State.SKIPPED]))
    lines: list[Text] = []
    for state in _LISTED_STATES:
        rows = [row for row in missed if row.state is state]
        for row in rows[:_LISTED]:
            lines += _missed(row, now, width, verb)
        if len(rows) > _LISTED:
            lines.append(_head(state, f"and {len(rows) - _LISTED} more", verb))
    lines += [
        _head(State.SKIPPED, f"{count} subgoals  {reason}", verb) for reason, count in many.items()
    ]
    totals = totals_words(
        asdict(board.totals()),
        seconds=now - board.started,
        agent_seconds=board.agent_seconds(),
        spent=board.spent(),
        budget=board.budget_usd,
        glyphs=glyphs,
    )
    return [*lines, Text(totals, style="bold")]


def next_commands(run: str, outcomes: Mapping[str, str]) -> list[str]:
    """The commands that look into a failure and make good for it; none if all is well.

    Args:
        run: The run's id.
        outcomes: How each subgoal ended, by its id.
    """
    if all(outcome == Outcome.OK for outcome in outcomes.values()):
        return []
    # What was only skipped has nothing to show.
    reached = (each for each, outcome in outcomes.items() if outcome in _LISTED_STATES[:-1])
    # An id with control characters cannot be named in a shell by what is shown of it.
    shown = [shlex.quote(safe_line(each)) for each in reached][:1]
    return [" ".join(["aurora-soar show", run, *shown]), f"aurora-soar resume {run}"]


def _counted(row: Row, reasons: Container[str]) -> bool:
    return row.state is State.SKIPPED and _error(row) in reasons


def _missed(row: Row, now: float, width: int, verb: int) -> Iterator[Text]:
    seconds = row.seconds(now)
    parts = [
        f"{safe_line(row.id):<{width}}",
        f"{row.attempt}/{row.attempts}" if row.attempt else "",
        "" if seconds is None else format_duration(seconds),
        _error(row),
    ]
    yield _head(row.state, "  ".join(filter(None, parts)), verb)
    if row.log is not None:
        yield Text(f"{'':<{verb + 2}}log: {row.log}")


def _head(state: State, said: str, width: int) -> Text:
    line = Text(f"{VERBS[state]:<{width}}", style=f"bold {STYLES[state]}")
    return Text.assemble(line, f"  {said}")


def _error(row: Row) -> str:
    return first_line(row.output.error if row.output else "")
