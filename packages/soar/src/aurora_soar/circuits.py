"""Circuits that outlive a run: what one learns of an agent holds for the next one.

They lie in one file of the user's, or on a server, which all projects share. So each has a key: the
project, the agent, and a digest of what the agent is. Another project's agent of the same name is
another one, and so is the same agent with another tool or another persona.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from aurora_circuit_breaker import (
    Change,
    CircuitBreaker,
    Forced,
    HealthStatus,
    State,
    Store,
)
from aurora_circuit_breaker.stores.sqlite import SqliteStore
from aurora_soar.agents import Agent
from aurora_soar.folders import make_private

__all__ = [
    "ANY_DEFINITION",
    "Circuit",
    "CircuitKey",
    "Circuits",
    "LocalCircuits",
    "ProjectStore",
    "SharedCircuits",
    "definition_of",
]

Argument = TypeVar("Argument")

ANY_DEFINITION = "*"
"""The definition under which an agent is isolated, whatever it is made of."""


@dataclass(frozen=True, slots=True)
class CircuitKey:
    """Whose circuit it is.

    Attributes:
        project: What the project is called, see `Circuits.project`.
        agent_id: The agent's name in it.
        definition: A digest of what the agent is, see `definition_of`.
    """

    project: str
    agent_id: str
    definition: str

    def __str__(self) -> str:
        return json.dumps([self.project, self.agent_id, self.definition])

    @classmethod
    def parse(cls, text: str) -> CircuitKey | None:
        """The key that a text stands for; None if it is somebody else's."""
        try:
            project, agent_id, definition = json.loads(text)
        except (TypeError, ValueError):
            return None
        return cls(str(project), str(agent_id), str(definition))


def definition_of(agent: Agent, *, tool: str | None, model: str | None) -> str:
    """A digest of what an agent is: whoever is changed begins without a past.

    Args:
        agent: The agent.
        tool: Who answers for agents that name no tool.
        model: The model of agents that name none.
    """
    said = {"tool": tool, "model": model, **agent.config, "description": str(agent.description)}
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ProjectStore:
    """The circuits of one project's agents, under the names that they have in it.

    Args:
        store: Where the circuits of all projects are.
        project: What it is called, see `Circuits.project`.
        definitions: What each agent is, by its name, whose circuit later runs are to know.
        own: Where the circuits of all others are, as long as the run goes on.
    """

    def __init__(
        self, store: Store, project: str, definitions: Mapping[str, str], own: Store
    ) -> None:
        self.held = store.held
        self._store = store
        self._project = project
        self._definitions = definitions
        self._own = own

    def update(
        self, agent_id: str, change: Change[Argument], argument: Argument
    ) -> tuple[State, State, float]:
        """See `aurora_circuit_breaker.Store`."""
        store, name = self._place(agent_id)
        return store.update(name, change, argument)

    def look(self, agent_id: str, /) -> tuple[State, float]:
        """See `aurora_circuit_breaker.Store`."""
        store, name = self._place(agent_id)
        return store.look(name)

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        for text in self._store:
            key = CircuitKey.parse(text)
            if key is not None and (self._store, text) == self._place(key.agent_id):
                yield key.agent_id
        for agent_id in self._own:
            if (self._own, agent_id) == self._place(agent_id):
                yield agent_id

    def _place(self, agent_id: str) -> tuple[Store, str]:
        """Where the circuit of an agent is, and what it is called there."""
        isolated = str(CircuitKey(self._project, agent_id, ANY_DEFINITION))
        # Looked up each time: an agent may be isolated while a run goes on.
        state, _ = self._store.look(isolated)
        if isinstance(state, Forced):
            return self._store, isolated
        definition = self._definitions.get(agent_id)
        if definition is None:
            return self._own, agent_id
        return self._store, str(CircuitKey(self._project, agent_id, definition))


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit, as people are told of it."""

    key: CircuitKey
    health: HealthStatus

    @property
    def is_isolation(self) -> bool:
        """Whether somebody isolated the agent."""
        return self.key.definition == ANY_DEFINITION

    @property
    def says_something(self) -> bool:
        """Whether it is more than a trace of what is over."""
        return self.health["state"] != "closed" or self.health["failure_count"] > 0


class _LastingStore(Store, Protocol):
    """A store that outlives this process."""

    def close(self) -> None:
        """Let go of it."""


class Circuits:
    """The circuits of all projects that share a store.

    Args:
        store: Where they are.
        place: Where that is, for people.
    """

    def __init__(self, store: _LastingStore, place: str) -> None:
        self._store = store
        self.place = place

    def project(self, folder: Path) -> str:
        """What a project is called there.

        Args:
            folder: Its top folder.
        """
        return str(folder)

    def breaker(self, project: str, definitions: Mapping[str, str]) -> CircuitBreaker:
        """A breaker for the agents of a project; it judges by itself while the store is lost (F52).

        Args:
            project: See `project`.
            definitions: See `ProjectStore`.
        """
        own = CircuitBreaker().store
        return CircuitBreaker(store=ProjectStore(self._store, project, definitions, own))

    def known(self) -> list[Circuit]:
        """Every circuit of which something is known, by project and agent.

        Raises:
            StoreDownError: The store cannot be read.
        """
        keys = [key for text in self._store if (key := CircuitKey.parse(text)) is not None]
        keys.sort(key=lambda key: (key.project, key.agent_id, key.definition))
        breaker = self._opened()
        circuits = [Circuit(key, breaker.get_health_status(str(key))) for key in keys]
        return [each for each in circuits if each.says_something]

    def isolate(self, project: str, agent_id: str) -> None:
        """Let nobody in the project run the agent, from now on and whatever it is made of.

        Raises:
            StoreDownError: The store cannot be written.
            OSError: Its folder cannot be made.
        """
        self._opened().force_open(str(CircuitKey(project, agent_id, ANY_DEFINITION)))

    def reset(self, keys: Iterable[CircuitKey]) -> None:
        """Forget what is known, isolation included.

        Raises:
            StoreDownError: The store cannot be written.
        """
        breaker = self._opened()
        for key in keys:
            breaker.reset(str(key))

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _opened(self) -> CircuitBreaker:
        """A breaker whose agents are all keys of the store, if that can be used.

        Left to itself a breaker would go on without it, which is no use to somebody who asks.
        """
        list(self._store)
        return CircuitBreaker(store=self._store, kind_of=None)


class LocalCircuits(Circuits):
    """The circuits of this machine, in one file of the user's.

    Args:
        folder: The folder that it lies in, see `aurora_soar.folders.state_folder`.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "circuits.db"
        super().__init__(SqliteStore(self.path), str(self.path))

    def breaker(self, project: str, definitions: Mapping[str, str]) -> CircuitBreaker:
        """See `Circuits.breaker`; makes the folder."""
        # Who cannot make the folder cannot open the file, and is told so then.
        with contextlib.suppress(OSError):
            make_private(self.path.parent)
        return super().breaker(project, definitions)

    def known(self) -> list[Circuit]:
        """See `Circuits.known`; to look makes no file."""
        return super().known() if self.path.exists() else []

    def isolate(self, project: str, agent_id: str) -> None:
        """See `Circuits.isolate`; makes the folder."""
        make_private(self.path.parent)
        super().isolate(project, agent_id)


class SharedCircuits(Circuits):
    """The circuits of all machines that name the same Redis server.

    Args:
        server: Its URL.

    Raises:
        ImportError: The extra `redis` is not installed.
        ValueError: This is no such URL.
    """

    def __init__(self, server: str) -> None:
        from aurora_circuit_breaker.stores.redis import RedisStore

        super().__init__(RedisStore(server), _without_password(server))

    def project(self, folder: Path) -> str:
        """A project lies elsewhere on each machine; its name is what they have in common."""
        return folder.name


def _without_password(url: str) -> str:
    """What may be shown of a URL."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
