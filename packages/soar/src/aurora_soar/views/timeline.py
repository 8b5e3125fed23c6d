"""What happened when: the stretches of time of each subgoal, told from events; pure.

    blocked ▏ waiting ▏ attempt 1 ▏ retry ▏ attempt 2 ▏ fallback

A subgoal is in one stretch at a time, from the start of the run to its output. Times are seconds
on the clock of whoever feeds the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

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
from aurora_soar.views.board import Row
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    RetryScheduled,
    SpawnResult,
)

__all__ = ["Change", "Kind", "Stretch", "Timeline"]

# Characters of what an attempt said that are kept, the last ones.
_KEPT = 16 * 1024


class Kind(StrEnum):
    """What a subgoal does in a stretch of time."""

    BLOCKED = "blocked"
    """It waits for what it depends on."""
    WAITING = "waiting"
    """It could start, and waits for a slot."""
    PARKED = "parked"
    """Its tool is parked by a provider's limit."""
    STARTING = "starting"
    """It has a slot, and no attempt runs: before the first one, or after the last."""
    ATTEMPT = "attempt"
    RETRY = "retry"
    """Between two attempts."""
    FALLBACK = "fallback"


@dataclass(slots=True)
class Stretch:
    """A stretch of a subgoal's time.

    Attributes:
        kind: What it did.
        start: When that began.
        end: When it ended; None as long as it lasts.
        attempt: Which attempt runs, or ended before a retry; 0 before the first.
        reason: Why it is retried or falls back.
        agent: Who is asked in the agent's place, in a fallback; None: the plain LLM.
        result: What came out of an attempt or a fallback; None for any other stretch, and for an
            attempt that was cut.
        log: The file with what was said; None if there is none.
    """

    kind: Kind
    start: float
    end: float | None = None
    attempt: int = 0
    reason: str = ""
    agent: str | None = None
    result: SpawnResult | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that concerns no single subgoal, and when it happened."""

    at: float
    event: ToolParked | ToolResumed | CircuitChanged | BudgetWarned


class Timeline:
    """The stretches of every subgoal, in the order of the board's rows.

    Args:
        rows: The board's rows; only their ids, needs and tools are read.
        started: When the run began.

    Attributes:
        changes: What concerned no single subgoal, in order.
    """

    def __init__(self, rows: Sequence[Row], started: float) -> None:
        self.changes: list[Change] = []
        self._rows = rows
        self._parked: set[str] = set()
        self._open = [set(row.needs) for row in rows]
        self._dependents: dict[str, list[int]] = {}
        for position, row in enumerate(rows):
            for needed in row.needs:
                self._dependents.setdefault(needed, []).append(position)
        self._stretches = [
            [Stretch(Kind.BLOCKED if needs else Kind.WAITING, started)] for needs in self._open
        ]

    def of(self, position: int) -> list[Stretch]:
        """The stretches of one subgoal that took any time, in order."""
        return [each for each in self._stretches[position] if each.end != each.start]

    def apply(self, event: RunEvent, now: float) -> None:
        """Take note of an event; the board has noted it before."""
        match event:
            case SubgoalStarted(position):
                self._enter(position, Kind.STARTING, now)
            case SubgoalEvent(position, inner):
                self._hear(position, inner, now)
            case SubgoalFinished(position):
                self._finish(event, now)
            case ToolParked() | ToolResumed() | CircuitChanged() | BudgetWarned():
                self.changes.append(Change(now, event))
                self._note(event, now)

    def _hear(self, position: int, event: Event, now: float) -> None:
        match event:
            case AttemptStarted(attempt):
                stand_in = self._rows[position].stand_in
                kind = Kind.ATTEMPT if stand_in is None else Kind.FALLBACK
                self._enter(position, kind, now, attempt=attempt)
                self._last(position).agent = stand_in
            case AttemptFinished(result=result):
                ended = self._last(position)
                self._enter(position, Kind.STARTING, now)
                ended.result, ended.log = _end_of(result), self._rows[position].log
            case RetryScheduled(reason=reason):
                self._enter(position, Kind.RETRY, now, reason=reason)
            case FallbackStarted(reason, agent):
                self._enter(position, Kind.FALLBACK, now, attempt=0, reason=reason)
                self._last(position).agent = agent
            case _:
                pass

    def _finish(self, event: SubgoalFinished, now: float) -> None:
        last = self._last(event.position)
        last.end = now
        output = event.output
        if output.fallback and last.kind is Kind.STARTING and not last.attempt:
            # The circuit was open: there was no attempt, and nobody told of the fallback's start.
            last.kind, last.reason = Kind.FALLBACK, "circuit open"
        if last.kind is Kind.FALLBACK and last.result is None and output.success:
            last.result = _end_of(output.result)
        done = self._rows[event.position].id
        for position in self._dependents.get(done, ()):
            self._open[position].discard(done)
            # Whoever was skipped has an end before its dependencies have theirs.
            waits = self._last(position).kind is Kind.BLOCKED and self._last(position).end is None
            if waits and not self._open[position]:
                self._enter(position, Kind.WAITING, now)

    def _note(
        self, event: ToolParked | ToolResumed | CircuitChanged | BudgetWarned, now: float
    ) -> None:
        match event:
            case ToolParked(tool):
                self._parked.add(tool)
                self._change_waiting(tool, {Kind.WAITING, Kind.RETRY}, Kind.PARKED, now)
            case ToolResumed(tool):
                self._parked.discard(tool)
                self._change_waiting(tool, {Kind.PARKED}, Kind.WAITING, now)
            case _:
                pass

    def _change_waiting(self, tool: str, old: set[Kind], new: Kind, now: float) -> None:
        for position, row in enumerate(self._rows):
            last = self._last(position)
            if row.tool == tool and last.end is None and last.kind in old:
                self._enter(position, new, now, reason=last.reason)

    def _last(self, position: int) -> Stretch:
        return self._stretches[position][-1]

    def _enter(
        self, position: int, kind: Kind, now: float, *, attempt: int | None = None, reason: str = ""
    ) -> None:
        """End the stretch that a subgoal is in, and begin another one."""
        last = self._last(position)
        last.end = now
        if kind in {Kind.WAITING, Kind.RETRY} and self._rows[position].tool in self._parked:
            kind = Kind.PARKED
        number = last.attempt if attempt is None else attempt
        self._stretches[position].append(Stretch(kind, now, attempt=number, reason=reason))


def _end_of(result: SpawnResult | None) -> SpawnResult | None:
    """A result with no more words than a page shows: the board keeps whole answers, not we."""
    if result is None:
        return None
    return replace(result, output=result.output[-_KEPT:], stderr=result.stderr[-_KEPT:])
