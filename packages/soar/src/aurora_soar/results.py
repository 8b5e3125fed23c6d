"""What a run gives back: one output per assignment, and what happened on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aurora_soar.workplaces import Changes
from aurora_spawner import SpawnResult

__all__ = ["AgentOutput", "CollectResult", "Outcome"]


class Outcome(StrEnum):
    """How a subgoal ended."""

    OK = "ok"
    FAILED = "failed"
    BLOCKED = "blocked"
    """The circuit was open, and no fallback answered."""
    SKIPPED = "skipped"
    """Never started, because of another subgoal."""
    UNFINISHED = "unfinished"
    """Cut or never started, because the global timeout came first."""


@dataclass(frozen=True, slots=True)
class AgentOutput:
    """What became of one assignment.

    Attributes:
        subgoal_index: Which subgoal.
        agent_id: Who was asked.
        outcome: How it ended.
        output: The answer; empty if there is none.
        error: For people; None exactly on success.
        result: What the spawner said; None if nothing was started.
        answered_by: The agent whose answer it is, where it is another one's: a fallback that the
            agent names.
        kept: The result is an earlier run's; nobody was asked.
        changes: What the last attempt changed, where it had a worktree of its own.
    """

    subgoal_index: int
    agent_id: str
    outcome: Outcome
    output: str = ""
    error: str | None = None
    result: SpawnResult | None = None
    answered_by: str | None = None
    kept: bool = False
    changes: Changes | None = None

    @property
    def success(self) -> bool:
        """Whether there is an answer, the agent's or the fallback's."""
        return self.outcome is Outcome.OK

    @property
    def fallback(self) -> bool:
        """Whether another one was asked in the agent's place: the plain LLM, or an agent."""
        return self.result is not None and self.result.fallback

    @property
    def retries(self) -> int:
        """Attempts of the agent after its first."""
        return self.result.retry_count if self.result else 0

    @property
    def seconds(self) -> float:
        """How long the last attempt took."""
        return self.result.execution_time if self.result else 0.0


@dataclass(frozen=True, slots=True)
class CollectResult:
    """What `execute_agents` gives back.

    Attributes:
        agent_outputs: One per assignment, in the order of the assignments.
        execution_metadata: Counts and lists by key: `total_subgoals`, `failed_subgoals`,
            `fallback_count`, `spawn_count`, `spawned_agents`, `circuit_blocked`,
            `circuit_blocked_count`, `early_terminations`, `retried_agents`, `total_duration_ms`.
        user_interactions: Reserved for questions that agents ask; empty.
        fallback_agents: Ids of the agents in whose place another one was asked.
        critical_seconds: What the slowest chain of subgoals that wait for each other took: with
            any number of agents at once the run would have taken this long.
        budget_reached: The budget has kept something from starting.
    """

    agent_outputs: Sequence[AgentOutput]
    execution_metadata: dict[str, Any]
    user_interactions: Sequence[dict[str, Any]] = field(default_factory=list)
    fallback_agents: Sequence[str] = field(default_factory=list)
    critical_seconds: float = 0.0
    budget_reached: bool = False
