"""What happens during a run of a plan: one set of events for everything that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from aurora_soar.results import AgentOutput
from aurora_spawner import Event

__all__ = ["OnRunEvent", "RunEvent", "SubgoalEvent", "SubgoalFinished", "SubgoalStarted"]


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


RunEvent: TypeAlias = SubgoalStarted | SubgoalEvent | SubgoalFinished
OnRunEvent: TypeAlias = Callable[[RunEvent], None]
