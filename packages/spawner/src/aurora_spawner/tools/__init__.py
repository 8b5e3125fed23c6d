"""One file per agent CLI: how to call it, how to read its answer."""

from aurora_spawner.tools.adapter import (
    Answer,
    Facts,
    Invocation,
    Notice,
    Reader,
    TextReader,
    Tool,
    Worked,
)
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
    "Facts",
    "Invocation",
    "Notice",
    "Reader",
    "TextReader",
    "Tool",
    "Worked",
    "find_agent_cli",
    "get_tool",
    "missing_agent_cli",
]
