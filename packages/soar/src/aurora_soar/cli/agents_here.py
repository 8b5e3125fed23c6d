"""The agents that can be named where we stand without a plan that writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aurora_soar.agents import AgentInfo
from aurora_soar.cli.trusting import standing_here
from aurora_soar.definitions import Broken, Found, Roster, discover
from aurora_soar.trust import Standing, not_used

__all__ = ["AgentsHere", "agents_here", "standing_of"]


@dataclass(frozen=True, slots=True)
class AgentsHere:
    """The agents of definition files, in project and home.

    Attributes:
        roster: All that was found.
        agents: Those that can be used, by name, in the order in which they count.
        refused: Those that wait for trust, each with what is to be said after its name.
    """

    roster: Roster
    agents: Mapping[str, AgentInfo]
    refused: Mapping[str, str]

    def broken(self, names: Iterable[str]) -> Iterator[Broken]:
        """The files that were skipped and are called like one of these agents."""
        wanted = frozenset(names)
        return (each for each in self.roster.broken if each.stem in wanted)


def agents_here() -> AgentsHere:
    """Look for them."""
    roster = discover(Path.cwd())
    standings = {name: standing_of(found) for name, found in roster.agents.items()}
    return AgentsHere(
        roster,
        {
            name: found.definition.agent
            for name, found in roster.agents.items()
            if standings[name] is Standing.TRUSTED
        },
        {
            name: not_used(standing, roster.agents[name].shown)
            for name, standing in standings.items()
            if standing is not Standing.TRUSTED
        },
    )


def standing_of(found: Found) -> Standing:
    """Whether a definition can be used; whatever demands nothing can."""
    if not found.waits_for_trust:
        return Standing.TRUSTED
    return standing_here(found.path, found.content)
