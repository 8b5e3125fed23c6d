"""Which tools there are, and which one answers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aurora_spawner.errors import UnknownToolError
from aurora_spawner.tools.adapter import Tool
from aurora_spawner.tools.claude import ClaudeTool
from aurora_spawner.tools.codex import CodexTool
from aurora_spawner.tools.command import CommandTool
from aurora_spawner.tools.extract import ExtractTool
from aurora_spawner.tools.gemini import GeminiTool
from aurora_spawner.tools.opencode import OpencodeTool

__all__ = ["AGENT_CLIS", "TOOLS", "find_agent_cli", "get_tool", "missing_agent_cli"]

AGENT_CLIS = ("claude", "codex", "gemini", "opencode")
"""The tools looked for on PATH, in this order, when none is named."""

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        tool.name: tool
        for tool in (
            ClaudeTool(),
            CodexTool(),
            GeminiTool(),
            OpencodeTool(),
            CommandTool(),
            ExtractTool(),
        )
    }
)
"""Every tool by its name."""


def get_tool(name: str) -> Tool:
    """The tool of that name.

    Raises:
        UnknownToolError: There is none.
    """
    try:
        return TOOLS[name]
    except KeyError:
        raise UnknownToolError(name, tuple(TOOLS)) from None


def find_agent_cli(which: Callable[[str], str | None] = shutil.which) -> str | None:
    """Name of the first agent CLI on PATH; None if there is none."""
    return next((name for name in AGENT_CLIS if which(TOOLS[name].executable)), None)


def missing_agent_cli() -> str:
    """What to say when there is none."""
    return (
        f"no agent CLI found on PATH (looked for {', '.join(AGENT_CLIS)}); install one, name "
        "another tool, or try without a model: --tool extract (AURORA_SPAWN_TOOL=extract)"
    )
