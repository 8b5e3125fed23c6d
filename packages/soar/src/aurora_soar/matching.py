"""Which agent fits a subgoal that names none, and who an adhoc agent is, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aurora_soar.agents import Agent, AgentInfo
from aurora_soar.relevance import rare, relevances

__all__ = ["AgentMatcher", "Match", "plain_persona"]

_MARKS_OF_ADHOC = re.compile(r"\b(?:ad-?hoc|generated|dynamic|inferred|agent)\b", re.IGNORECASE)

# An agent fits from this score on, in weights of a word that no other agent has, and with so many
# different words: one word alone says too little, however rare it is among a handful of agents.
_ENOUGH = 1.5
_WORDS = 2


def plain_persona(agent: Agent) -> str:
    """The persona when there is no matcher: the agent's id, as it is."""
    return f"Please act as a specialist: {agent.id}."


@dataclass(frozen=True, slots=True)
class Match:
    """How well an agent fits a subgoal.

    Attributes:
        agent: The agent.
        score: BM25 of its name and its purpose, else its description, for the subgoal's.
        needed: The score from which on an agent fits.
        words: The words that they share, those that weigh most first.
    """

    agent: AgentInfo
    score: float
    needed: float
    words: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the agent gets the subgoal, if no other one fits better."""
        return self.score >= self.needed and len(self.words) >= _WORDS


class AgentMatcher:
    """Finds the agent for a subgoal, and makes a persona where there is none.

    An agent fits with two words or more in common, and a score of at least 1.5 times what a word
    weighs that no other agent has.
    """

    def ranked(self, description: str, agents: Iterable[AgentInfo]) -> list[Match]:
        """All agents that can be asked in words, the best first; of equals the first registered.

        What an agent's purpose says is taken before its description, which may be a persona of
        many pages. Agents with neither are left out, since nothing tells what they are for, and
        so are programs, which may not read what they are asked.

        Args:
            description: What is to be done.
            agents: The registered agents.
        """
        known = [
            each
            for each in agents
            if (each.purpose or each.description) and not each.config.get("command")
        ]
        said = [f"{each.id} {each.purpose or each.description}" for each in known]
        found = relevances(description, said)
        needed = _ENOUGH * rare(len(known)) if known else 0.0
        matches = [
            Match(agent, each.score, needed, each.words)
            for agent, each in zip(known, found, strict=True)
        ]
        return sorted(matches, key=lambda match: (not match.fits, -match.score))

    def persona(self, agent: Agent) -> str:
        """The persona prompt of an adhoc agent, from what its name and description say.

        `adhoc-fraud-analyst` becomes "fraud analyst": the marks of being adhoc say nothing about
        the work.
        """
        words = _MARKS_OF_ADHOC.sub(" ", agent.id.replace("_", "-")).replace("-", " ").split()
        role = " ".join(words) or agent.id
        description = str(agent.description or "").strip()
        return f"Please act as a specialist: {role}.{' ' + description if description else ''}"
