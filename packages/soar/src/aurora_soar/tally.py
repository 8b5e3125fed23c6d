"""What happened during a run, counted: the execution metadata; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aurora_soar.results import AgentOutput
from aurora_spawner import SpawnResult

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts as the run goes; each list in the order of what happened."""

    spawned_agents: list[str] = field(default_factory=list)
    circuit_blocked: list[dict[str, Any]] = field(default_factory=list)
    early_terminations: list[dict[str, Any]] = field(default_factory=list)

    def spawned(self, agent_id: str) -> None:
        """An adhoc agent is started."""
        self.spawned_agents.append(agent_id)

    def blocked(
        self, agent_id: str, subgoal_index: int, reason: str, health: Mapping[str, Any]
    ) -> None:
        """An open circuit refused an agent before its first attempt."""
        self.circuit_blocked.append(
            {
                "agent_id": agent_id,
                "subgoal_index": subgoal_index,
                "reason": reason,
                "health_status": dict(health),
            }
        )

    def ended_early(self, agent_id: str, result: SpawnResult) -> None:
        """An attempt ended; noted if it was ended early. Times are milliseconds from launch."""
        if result.termination_reason is None:
            return
        after = result.detection_time
        seconds = result.execution_time if after is None else after
        self.early_terminations.append(
            {
                "agent_id": agent_id,
                "reason": result.termination_reason,
                "detection_time": round(seconds * 1000),
            }
        )

    def metadata(self, outputs: Sequence[AgentOutput], seconds: float) -> dict[str, Any]:
        """Everything under the keys of `CollectResult.execution_metadata`."""
        return {
            "total_subgoals": len(outputs),
            "failed_subgoals": sum(not output.success for output in outputs),
            "fallback_count": sum(output.fallback for output in outputs),
            "spawn_count": len(self.spawned_agents),
            "spawned_agents": self.spawned_agents,
            "circuit_blocked": self.circuit_blocked,
            "circuit_blocked_count": len(self.circuit_blocked),
            "early_terminations": self.early_terminations,
            "retried_agents": [output.agent_id for output in outputs if output.retries],
            "total_duration_ms": round(seconds * 1000),
        }
