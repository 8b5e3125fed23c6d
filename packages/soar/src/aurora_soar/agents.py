"""Agents: who they are, and the registry that knows them by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Agent", "AgentInfo", "AgentRegistry"]


class Agent(Protocol):
    """What collect needs of an agent; any object with these will do.

    Attributes:
        id: Its name.
        config: Settings, all optional: `is_spawn` (true for an adhoc agent: generated for this
            run, in no registry), `tool`, `model`, `command` (program and arguments).
        description: Who it is, in words; may be anything, `str` is taken of it.
    """

    @property
    def id(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def description(self) -> object: ...


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """An agent; see `Agent` for the other attributes.

    Attributes:
        purpose: When to choose it, in words; empty where only its description can tell.
    """

    id: str
    description: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    purpose: str = ""

    @property
    def is_adhoc(self) -> bool:
        """Whether it was generated for this run."""
        return bool(self.config.get("is_spawn"))


class AgentRegistry:
    """The agents that are known by name, in the order in which they were registered."""

    def __init__(self, agents: Iterable[AgentInfo] = ()) -> None:
        self._agents: dict[str, AgentInfo] = {}
        for agent in agents:
            self.register(agent)

    def register(self, agent: AgentInfo) -> None:
        """Add an agent.

        Raises:
            ValueError: Its id is empty or taken.
        """
        if not agent.id:
            raise ValueError("an agent needs an id")
        if agent.id in self._agents:
            raise ValueError(f'agent "{agent.id}" is registered twice')
        self._agents[agent.id] = agent

    def get(self, agent_id: str) -> AgentInfo | None:
        """The agent of that id; None if there is none."""
        return self._agents.get(agent_id)

    def resolve(self, agent_id: str) -> AgentInfo:
        """The agent of that id, or an adhoc one made for it."""
        return self._agents.get(agent_id) or AgentInfo(agent_id, config={"is_spawn": True})

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._agents

    def __iter__(self) -> Iterator[AgentInfo]:
        return iter(self._agents.values())

    def __len__(self) -> int:
        return len(self._agents)
