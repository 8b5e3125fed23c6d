"""Who gets a subgoal: the agent that it names, one that fits, or an adhoc one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_soar.matching import Match
from aurora_soar.phases.collect import matches_for

__all__ = ["Choice", "choose_agent", "choose_agents"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets a subgoal, and why.

    Attributes:
        agent: The agent; one of the registry, or an adhoc one.
        matches: The registered agents that were compared, the best first; it was chosen if it
            fits. Empty where an agent was named, or there is none that could be compared.
    """

    agent: AgentInfo
    matches: tuple[Match, ...] = ()


def choose_agent(
    registry: AgentRegistry, *, name: str, description: str, agent: str | None = None
) -> Choice:
    """Who gets a subgoal.

    Args:
        registry: The registered agents.
        name: What the subgoal is called; the agent of that name gets it if it names none.
        description: What is to be done; where no agent of that name is registered, it is compared
            with what is said of the registered ones.
        agent: Who it names; one that is not registered is an adhoc agent.
    """
    if agent is not None or name in registry:
        return Choice(registry.resolve(agent or name))
    matches = tuple(matches_for(description, registry))
    if matches and matches[0].fits:
        return Choice(matches[0].agent, matches)
    return Choice(registry.resolve(name), matches)


def choose_agents(
    subgoals: Sequence[Mapping[str, Any]], registry: AgentRegistry
) -> list[tuple[int, AgentInfo]]:
    """An agent for each subgoal, as `execute_agents` takes them.

    Args:
        subgoals: See `execute_agents`; those with an `agent` name it.
        registry: The registered agents.
    """
    assignments = []
    for position, subgoal in enumerate(subgoals):
        index = subgoal.get("subgoal_index", position)
        choice = choose_agent(
            registry,
            name=str(subgoal.get("id", f"adhoc-{index}")),
            description=str(subgoal.get("description") or subgoal.get("prompt") or ""),
            agent=subgoal.get("agent"),
        )
        assignments.append((index, choice.agent))
    return assignments
