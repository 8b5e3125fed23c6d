"""Who an adhoc agent is, in words: the persona that nobody wrote down."""

from __future__ import annotations

import re

from aurora_soar.agents import Agent

__all__ = ["AgentMatcher", "plain_persona"]

_MARKS_OF_ADHOC = re.compile(r"\b(?:ad-?hoc|generated|dynamic|inferred|agent)\b", re.IGNORECASE)


def plain_persona(agent: Agent) -> str:
    """The persona when there is no matcher: the agent's id, as it is."""
    return f"Please act as a specialist: {agent.id}."


class AgentMatcher:
    """Makes a persona from what an adhoc agent's name and description say."""

    def persona(self, agent: Agent) -> str:
        """The persona prompt of an adhoc agent.

        `adhoc-fraud-analyst` becomes "fraud analyst": the marks of being adhoc say nothing about
        the work.
        """
        words = _MARKS_OF_ADHOC.sub(" ", agent.id.replace("_", "-")).replace("-", " ").split()
        role = " ".join(words) or agent.id
        description = str(agent.description or "").strip()
        return f"Please act as a specialist: {role}.{' ' + description if description else ''}"
