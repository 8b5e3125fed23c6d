"""What an agent definition file says, whichever CLI it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aurora_soar.agents import AgentInfo
from aurora_spawner import Permissions

__all__ = ["Definition", "DefinitionError"]


class DefinitionError(ValueError):
    """A file that cannot be taken for an agent; `line` counts from 1, None where there is none."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True, slots=True)
class Definition:
    """An agent as its file defines it.

    Attributes:
        name: What plans call it by.
        tool: The CLI that it is for; None: it has no adapter, and whoever answers by default does.
        persona: Who it is, in words: what it is told before its subgoal.
        purpose: When to choose it, in words; empty where the file does not say.
        model: The model that it asks its CLI for; None: it does not care.
        permissions: What it confines itself to; None: it does not. It never widens anything.
        demands: What the file names that could do harm (commands, wider permissions), ready to be
            shown. None of it is used, but a project's file that has some waits for trust.
    """

    name: str
    tool: str | None
    persona: str
    purpose: str = ""
    model: str | None = None
    permissions: Permissions | None = None
    demands: tuple[str, ...] = ()

    @property
    def agent(self) -> AgentInfo:
        """The agent, as plans and collect take it."""
        said: dict[str, Any] = {
            "tool": self.tool,
            "model": self.model,
            "permissions": self.permissions,
        }
        config = {key: value for key, value in said.items() if value is not None}
        return AgentInfo(self.name, self.persona, config, self.purpose)
