"""The state of a run as people look at it: one row per subgoal, fed by events; pure.

Every view reads this one: the live table, the plain lines, the summary, the results file. Times
are seconds on the clock of whoever feeds the events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

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
from aurora_soar.results import AgentOutput, Outcome
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    OutputLine,
    RetryScheduled,
    SpawnResult,
    Warned,
)

__all__ = ["Board", "Row", "Spent", "State", "Totals"]

# Lines of an agent's words that are kept for a tall screen.
_RECENT = 12

# Tools that ask no model: they have no cost that could be unknown.
_FREE = frozenset({"command", "extract", None})

_Number = TypeVar("_Number", int, float)


class State(StrEnum):
    """Where a subgoal is; the last ones are its outcomes."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    FALLBACK = "fallback"
    OK = Outcome.OK.value
    FAILED = Outcome.FAILED.value
    BLOCKED = Outcome.BLOCKED.value
    SKIPPED = Outcome.SKIPPED.value
    UNFINISHED = Outcome.UNFINISHED.value


UNDER_WAY = frozenset({State.RUNNING, State.RETRYING, State.FALLBACK})


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent, as far as it was told; None where nobody told anything.

    Attributes:
        usd: US dollars.
        tokens_in: Tokens read.
        tokens_out: Tokens written.
        untold: Attempts by a model that told no cost: `usd` is that much short of the truth.
    """

    usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    untold: int = 0

    @classmethod
    def by(cls, result: SpawnResult) -> Spent:
        """What one attempt spent."""
        untold = result.cost_usd is None and result.tool not in _FREE
        return cls(result.cost_usd, result.tokens_in, result.tokens_out, int(untold))

    @classmethod
    def together(cls, parts: Iterable[Spent]) -> Spent:
        """The sum of what is known."""
        total = cls()
        for part in parts:
            total = total + part
        return total

    def fields(self) -> dict[str, Any]:
        """As version 1 of the record and of the stream writes it."""
        return {
            "cost_usd": self.usd,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            _sum(self.usd, other.usd),
            _sum(self.tokens_in, other.tokens_in),
            _sum(self.tokens_out, other.tokens_out),
            self.untold + other.untold,
        )


@dataclass(slots=True)
class Row:
    """One subgoal.

    Attributes:
        id: Its id; untrusted text, like every other text here.
        agent: Id of its agent.
        needs: Ids of the subgoals that it depends on.
        tool: The tool that it goes through, as far as it is known.
        model: The model that its agent is to use; None: the tool's own choice.
        state: Where it is.
        attempt: Number of the agent's latest attempt, from 1; 0 before the first.
        attempts: How many there may be; 0 as long as nobody knows.
        started: When it got its slot; None before.
        finished: When it had its output; None before.
        agent_seconds: What its finished attempts took together.
        spent: What its attempts and its fallback spent together.
        last_line: What was heard of it last.
        recent: The last lines of its latest attempt, without blank ones.
        reason: Why it is retried or falls back.
        stand_in: Id of the agent that is asked in its agent's place; None: nobody, or the plain
            LLM.
        retry_at: When the next attempt starts, while it waits for that.
        warnings: What its attempts warned of.
        output: Its output; None before it has finished.
        log: The file with what its latest attempt said; None if there is none.
    """

    id: str
    agent: str
    needs: tuple[str, ...] = ()
    tool: str | None = None
    model: str | None = None
    state: State = State.WAITING
    attempt: int = 0
    attempts: int = 0
    started: float | None = None
    finished: float | None = None
    agent_seconds: float = 0.0
    spent: Spent = Spent()
    last_line: str = ""
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=_RECENT))
    reason: str = ""
    stand_in: str | None = None
    retry_at: float = 0.0
    warnings: list[str] = field(default_factory=list)
    output: AgentOutput | None = None
    log: str | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it has a slot."""
        return self.state in UNDER_WAY

    @property
    def is_fallback(self) -> bool:
        """Whether its answer is not its agent's, but the plain LLM's or another agent's."""
        return self.output is not None and self.output.success and self.output.fallback

    @property
    def is_kept(self) -> bool:
        """Whether its answer is an earlier run's: nobody was asked."""
        return self.output is not None and self.output.kept

    @property
    def changed(self) -> int:
        """How many files its last attempt changed in a worktree of its own."""
        changes = self.output.changes if self.output else None
        return len(changes.files) if changes else 0

    @property
    def is_flaky(self) -> bool:
        """Whether its agent succeeded, but not at first."""
        return self.state is State.OK and self.attempt > 1 and not self.is_fallback

    def seconds(self, now: float) -> float | None:
        """How long it has been or was under way; None if it never was."""
        if self.started is None:
            return None
        return (now if self.finished is None else self.finished) - self.started


@dataclass(frozen=True, slots=True)
class Totals:
    """How many subgoals are in which state; `flaky`, `by_fallback`, `kept` are among the `ok`."""

    ok: int
    flaky: int
    by_fallback: int
    kept: int
    failed: int
    blocked: int
    skipped: int
    unfinished: int
    waiting: int
    running: int
    retrying: int

    @property
    def done(self) -> int:
        """Those that have an output."""
        return self.ok + self.failed + self.blocked + self.skipped + self.unfinished


class Board:
    """All rows of a run, in the order of the plan.

    Attributes:
        name: What the run is called.
        limit: How many agents may run at once.
        started: When the run began.
        rows: The rows; an event's `position` is the place in here.
        budget_usd: What the agents may cost together, US dollars; None: anything.
        parked: When each tool that a provider's limit has parked resumes, and why it is.
        circuits: What was told last of each circuit that is not closed, and when.
    """

    def __init__(
        self,
        name: str,
        rows: Sequence[Row],
        *,
        limit: int,
        started: float,
        budget_usd: float | None = None,
    ) -> None:
        self.name = name
        self.limit = limit
        self.started = started
        self.budget_usd = budget_usd
        self.rows = list(rows)
        self.parked: dict[str, tuple[float, str]] = {}
        self.circuits: dict[str, tuple[float, CircuitChanged]] = {}

    def apply(self, event: RunEvent, now: float) -> None:
        """Take note of an event."""
        match event:
            case SubgoalStarted() | SubgoalEvent() | SubgoalFinished():
                _apply(event, self.rows[event.position], now)
            case ToolParked(tool, seconds, reason):
                self.parked[tool] = (now + seconds, reason)
            case ToolResumed(tool):
                self.parked.pop(tool, None)
            case CircuitChanged(agent_id, "closed"):
                self.circuits.pop(agent_id, None)
            case CircuitChanged(agent_id):
                self.circuits[agent_id] = (now, event)
            case BudgetWarned():
                pass

    def cut(self, reason: str, now: float) -> list[SubgoalFinished]:
        """Nothing comes any more: who is under way is unfinished, who waits was never started.

        Returns:
            The endings that nobody else told of; they have been noted here.
        """
        endings = []
        for position, row in enumerate(self.rows):
            if row.output is None:
                outcome = Outcome.UNFINISHED if row.is_under_way else Outcome.SKIPPED
                output = AgentOutput(position, row.agent, outcome, error=reason)
                endings.append(SubgoalFinished(position, output))
                self.apply(endings[-1], now)
        return endings

    def unmet(self, row: Row) -> list[str]:
        """Ids of the subgoals that a row still waits for."""
        open_ids = {each.id for each in self.rows if each.output is None}
        return [needed for needed in row.needs if needed in open_ids]

    def totals(self) -> Totals:
        """How many rows are in which state."""
        states = [row.state for row in self.rows]
        return Totals(
            ok=states.count(State.OK),
            flaky=sum(row.is_flaky for row in self.rows),
            by_fallback=sum(row.is_fallback for row in self.rows),
            kept=sum(row.is_kept for row in self.rows),
            failed=states.count(State.FAILED),
            blocked=states.count(State.BLOCKED),
            skipped=states.count(State.SKIPPED),
            unfinished=states.count(State.UNFINISHED),
            waiting=states.count(State.WAITING),
            running=states.count(State.RUNNING) + states.count(State.FALLBACK),
            retrying=states.count(State.RETRYING),
        )

    def agent_seconds(self) -> float:
        """What all finished attempts took together."""
        return sum(row.agent_seconds for row in self.rows)

    def spent(self) -> Spent:
        """What the whole run has spent so far."""
        return Spent.together(row.spent for row in self.rows)

    def held(self, tool: str) -> int:
        """How many subgoals could start if this tool were not parked."""
        open_ids = {row.id for row in self.rows if row.output is None}
        return sum(
            row.tool == tool and row.state is State.WAITING and open_ids.isdisjoint(row.needs)
            for row in self.rows
        )


def _apply(event: SubgoalStarted | SubgoalEvent | SubgoalFinished, row: Row, now: float) -> None:
    match event:
        case SubgoalStarted():
            row.state = State.RUNNING
            row.started = now
        case SubgoalEvent(event=inner):
            _hear(row, inner, now)
        case SubgoalFinished(output=output):
            # An agent's attempts have told what they took; the plain LLM makes none.
            by_llm = row.state is State.FALLBACK or not row.attempt
            is_new = output.fallback and not output.kept
            if output.result and is_new and by_llm and row.stand_in is None:
                _count(output.result, row)
            row.state = State(output.outcome)
            row.output = output
            row.finished = now
            row.last_line = _last_line(output.output) or row.last_line


def _hear(row: Row, event: Event, now: float) -> None:
    match event:
        case AttemptStarted(attempt, attempts):
            row.state = State.RUNNING if row.stand_in is None else State.FALLBACK
            row.attempt, row.attempts = attempt, attempts
            row.recent.clear()
        case OutputLine(text=text) if text.strip():
            row.last_line = text
            row.recent.append(text)
        case Warned(text):
            row.warnings.append(text)
            row.last_line = text
        case AttemptFinished(result=result):
            _count(result, row)
        case RetryScheduled(delay=delay, reason=reason):
            row.state = State.RETRYING
            row.reason = reason
            row.retry_at = now + delay
        case FallbackStarted(reason, agent):
            row.state = State.FALLBACK
            row.reason = reason
            row.stand_in = agent
            row.last_line = ""
            row.recent.clear()
        case _:
            pass


def _count(result: SpawnResult, row: Row) -> None:
    row.agent_seconds += result.execution_time
    row.spent += Spent.by(result)
    row.tool = result.tool or row.tool


def _sum(one: _Number | None, other: _Number | None) -> _Number | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.split("\n")) if line.strip()), "")
