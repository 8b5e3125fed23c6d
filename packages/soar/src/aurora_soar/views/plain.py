"""The run as lines, for pipes, logs and plain terminals: one line per change, a sign of life.

14:02:20      START  docs  writer
14:03:09      RETRY  docs  1/3 exit 1, next in 30s
14:04:12         OK  docs  2/3 1:52
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.text import Text

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
from aurora_soar.views.board import Board, Row, State
from aurora_soar.views.theme import (
    STYLES,
    VERBS,
    Glyphs,
    changed_words,
    circuit_words,
    first_line,
    money,
    spent_words,
)
from aurora_spawner import (
    FallbackStarted,
    OutputLine,
    RetryScheduled,
    SpawnResult,
    Warned,
    format_duration,
    safe_line,
)

__all__ = ["PlainView"]

# Seconds without a line after which a reader is told that the run is alive.
_HEARTBEAT = 60.0

# Lines of a failed subgoal's output that are shown, the last ones.
_TAIL = 20

_VERB = 10


class PlainView:
    """Prints a line for each change that matters.

    Args:
        board: The run.
        console: Where to print.
        glyphs: What lines are made of.
        clock: Seconds, the ones that the board is fed with.
        wall: What time it is for people.
        verbose: Print what agents say, too.
    """

    def __init__(
        self,
        board: Board,
        console: Console,
        glyphs: Glyphs,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = datetime.now,
        *,
        verbose: bool = False,
    ) -> None:
        self._board = board
        self._console = console
        self._glyphs = glyphs
        self._clock = clock
        self._wall = wall
        self._verbose = verbose
        self._spoke = board.started
        self._ids = min(max((len(row.id) for row in board.rows), default=0), 24)

    def start(self) -> None:
        """Show nothing: the first line is the first start."""

    def saw(self, event: RunEvent) -> None:
        """Print the change, if it is one."""
        match event:
            case SubgoalStarted() | SubgoalEvent() | SubgoalFinished():
                self._saw(event, self._board.rows[event.position])
            case ToolParked(tool, seconds, reason):
                said = f"{first_line(reason)}, resumes in {format_duration(seconds)}"
                self._line("PARKED", "yellow", safe_line(tool), said)
            case ToolResumed(tool):
                self._line("RESUMED", "", safe_line(tool))
            case CircuitChanged(agent, state, _, retry_in):
                probe = "" if retry_in is None else f", probe in {format_duration(retry_in)}"
                style = {"open": "red", "half_open": "yellow", "closed": "green"}[state]
                said = f"{circuit_words(event)}{probe}"
                self._line("CIRCUIT", style, safe_line(agent), said)
            case BudgetWarned(spent, limit, unit):
                shown = [money(each) if unit == "USD" else f"{each:.0f}" for each in (spent, limit)]
                said = f"{shown[0]} of {shown[1]}{'' if unit == 'USD' else ' tokens'} spent"
                over = "; nothing new starts" if spent >= limit else ""
                self._line("BUDGET", "yellow", said + over)

    def _saw(self, event: SubgoalStarted | SubgoalEvent | SubgoalFinished, row: Row) -> None:
        match event:
            case SubgoalStarted():
                self._change(State.RUNNING, row, safe_line(row.agent))
            case SubgoalEvent(event=RetryScheduled(delay=delay, reason=reason)):
                said = f"{row.attempt}/{row.attempts} {first_line(reason)}, next in {delay:.0f}s"
                self._change(State.RETRYING, row, said)
            case SubgoalEvent(event=FallbackStarted(reason, agent)):
                to = "" if agent is None else f"to {safe_line(agent)}: "
                self._change(State.FALLBACK, row, to + first_line(reason))
            case SubgoalEvent(event=OutputLine(_, text)) if self._verbose:
                self._aside(f"{row.id}: {text}")
            case SubgoalEvent(event=Warned(text)):
                self._line("WARN", "yellow", safe_line(row.id), first_line(text))
            case SubgoalFinished(output=output):
                self._change(row.state, row, self._ending(row))
                if output.outcome is Outcome.FAILED and output.result is not None:
                    self._tail(output.result)
                    if row.log is not None:
                        self._aside(f"log: {row.log}")
            case _:
                pass

    def note(self, text: str) -> None:
        """Print it, with the time."""
        self._line("NOTE", "", safe_line(text))

    def tick(self) -> None:
        """Print a sign of life after long silence."""
        now = self._clock()
        if now - self._spoke < _HEARTBEAT:
            return
        totals = self._board.totals()
        under_way = ", ".join(
            f"{safe_line(row.id)} {format_duration(row.seconds(now) or 0)}"
            for row in self._board.rows
            if row.is_under_way
        )
        done = f"{totals.done}/{len(self._board.rows)} done"
        parked = ", ".join(f"{safe_line(tool)} parked" for tool in self._board.parked)
        said = filter(
            None,
            (done, spent_words(self._board.spent(), self._board.budget_usd), under_way, parked),
        )
        self._line("RUNNING", "", f" {self._glyphs.dot} ".join(said))

    def stop(self) -> None:
        """Show nothing: the last line was the last change."""

    def _ending(self, row: Row) -> str:
        if row.is_kept:
            return "kept"
        seconds = row.seconds(self._clock())
        if seconds is None:
            return first_line(row.output.error if row.output else "")
        parts = [f"{row.attempt}/{row.attempts}" if row.attempt else "", format_duration(seconds)]
        if row.is_fallback:
            parts.append("by fallback")
        if row.changed:
            parts.append(changed_words(row.changed))
        if row.output is not None and row.output.error:
            parts.append(first_line(row.output.error))
        return " ".join(filter(None, parts))

    def _tail(self, result: SpawnResult) -> None:
        said = "\n".join(text.rstrip() for text in (result.output, result.stderr) if text.strip())
        for line in said.split("\n")[-_TAIL:] if said else ():
            self._aside(line)

    def _aside(self, text: str) -> None:
        self._print(Text(f"{'':>{8 + 1 + _VERB}}  {safe_line(text)}", style="dim"))

    def _change(self, state: State, row: Row, said: str) -> None:
        self._line(VERBS[state], STYLES[state], f"{safe_line(row.id):<{self._ids}}", said)

    def _line(self, verb: str, style: str, *parts: str) -> None:
        self._spoke = self._clock()
        line = Text(f"{self._wall():%H:%M:%S} ")
        line.append(f"{verb:>{_VERB}}", style=f"bold {style}".strip())
        line.append(f"  {'  '.join(parts)}".rstrip())
        self._print(line)

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)
