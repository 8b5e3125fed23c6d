"""One file per agent CLI: how to call it, how to read its answer."""

from aurora_spawner.tools.adapter import Answer, Invocation, Notice, Reader, TextReader, Tool
from aurora_spawner.tools.registry import (
    AGENT_CLIS,
    TOOLS,
    find_agent_cli,
    get_tool,
    missing_agent_cli,
)

__all__ = [
    "AGENT_CLIS",
    "TOOLS",
    "Answer",
    "Invocation",
    "Notice",
    "Reader",
    "TextReader",
    "Tool",
    "find_agent_cli",
    "get_tool",
    "missing_agent_cli",
]
