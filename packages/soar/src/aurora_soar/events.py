"""What happens during a run of a plan: one set of events for everything that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aurora_soar.results import AgentOutput
from aurora_spawner import Event

__all__ = [
    "BudgetWarned",
    "CircuitChanged",
    "OnRunEvent",
    "RunEvent",
    "SubgoalEvent",
    "SubgoalFinished",
    "SubgoalStarted",
    "ToolParked",
    "ToolResumed",
]


@dataclass(frozen=True, slots=True)
class SubgoalStarted:
    """A subgoal has its slot, and its agent is asked; `position` counts assignments from 0."""

    position: int


@dataclass(frozen=True, slots=True)
class SubgoalEvent:
    """Something happened in an attempt of a running subgoal."""

    position: int
    event: Event


@dataclass(frozen=True, slots=True)
class SubgoalFinished:
    """A subgoal has its output; also one that never started."""

    position: int
    output: AgentOutput


@dataclass(frozen=True, slots=True)
class ToolParked:
    """A provider's limit was met: nothing new starts through `tool` for so many seconds."""

    tool: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class ToolResumed:
    """What goes through `tool` may start again."""

    tool: str


@dataclass(frozen=True, slots=True)
class CircuitChanged:
    """The circuit of an agent opened, lets a probe through, or closed.

    Attributes:
        agent_id: Whose circuit it is.
        state: What it is now.
        failures: How many failures led there; 0 once it is closed.
        retry_in: Seconds until a probe may run; None unless it is open.
    """

    agent_id: str
    state: Literal["open", "half_open", "closed"]
    failures: int = 0
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetWarned:
    """So much of the budget is spent that people should know; at `limit` nothing new starts."""

    spent: float
    limit: float
    unit: Literal["USD", "tokens"]


RunEvent: TypeAlias = (
    SubgoalStarted
    | SubgoalEvent
    | SubgoalFinished
    | ToolParked
    | ToolResumed
    | CircuitChanged
    | BudgetWarned
)
OnRunEvent: TypeAlias = Callable[[RunEvent], None]
