"""What happens during a run, as typed events: one set for everybody who watches.

Times are left to the receiver, whose clock it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aurora_spawner.models import SpawnResult, SpawnTask

__all__ = [
    "AttemptFinished",
    "AttemptStarted",
    "Event",
    "FallbackStarted",
    "OnEvent",
    "OnProgress",
    "OutputLine",
    "ProviderLimited",
    "RetryScheduled",
    "Stream",
    "StreamEvent",
    "TaskEvent",
    "TaskFinished",
    "TaskStarted",
    "Warned",
    "outcome_of",
    "status_of",
]

Stream: TypeAlias = Literal["stdout", "stderr"]
"""Which of an agent's two outputs."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt begins: number `attempt` of at most `attempts`, both from 1."""

    attempt: int
    attempts: int


@dataclass(frozen=True, slots=True)
class OutputLine:
    """The agent said a line, without its newline: untrusted text, see `terminal`."""

    stream: Stream
    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something was noticed that does not end the attempt."""

    text: str


@dataclass(frozen=True, slots=True)
class ProviderLimited:
    """The tool's provider wants fewer requests: told once in an attempt, as soon as it is known.

    Who starts others of the same tool had better wait. The attempt itself is ended if its agent
    has done nothing yet; one that has worked goes on with the tool's own retries.

    Attributes:
        tool: Which tool was told so.
        retry_after: Seconds that the provider asks to wait; None if it did not say.
        has_worked: The agent has done something already that an end would throw away.
        reason: For people.
    """

    tool: str
    retry_after: float | None
    has_worked: bool
    reason: str


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """An attempt ended with `result`."""

    attempt: int
    attempts: int
    result: SpawnResult


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The next attempt is retry `retry` of at most `retries` and starts in `delay` seconds."""

    retry: int
    retries: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class FallbackStarted:
    """Another one is asked instead, because of `reason`: an agent, or with None the plain LLM."""

    reason: str
    agent: str | None = None


Event: TypeAlias = (
    AttemptStarted
    | OutputLine
    | Warned
    | ProviderLimited
    | AttemptFinished
    | RetryScheduled
    | FallbackStarted
)
OnEvent: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """Of many tasks, number `index` (from 0) has its slot and starts."""

    index: int
    task: SpawnTask


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something happened in a running task."""

    index: int
    event: Event


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task has its result."""

    index: int
    task: SpawnTask
    result: SpawnResult


StreamEvent: TypeAlias = TaskStarted | TaskEvent | TaskFinished

OnProgress: TypeAlias = Callable[[int, int, str, str], None]
"""`on_progress(idx, total, agent_id, status)`; `idx` counts from 1."""


def status_of(event: Event) -> str | None:
    """The status that a progress callback gets for an event; None where it gets none."""
    match event:
        case RetryScheduled(retry, retries, delay):
            return f"Retry {retry}/{retries} in {delay:.1f}s"
        case FallbackStarted(agent=agent):
            return f"Fallback to {agent or 'LLM'}"
        case _:
            return None


def outcome_of(result: SpawnResult) -> str:
    """The last status of a task."""
    if result.success:
        return f"Completed ({result.execution_time:.1f}s)"
    return f"Failed: {result.error}"
