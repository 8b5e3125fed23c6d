"""One file per agent CLI: how to call it, how to read its answer.

What is named here is what an adapter in a package of its own is made of; see `registry`.
"""

from aurora_spawner.detection import Detection, Pattern, Retrying
from aurora_spawner.tools.adapter import (
    Answer,
    Facts,
    Invocation,
    Notice,
    Reader,
    Reply,
    TextReader,
    Tool,
    Worked,
)
from aurora_spawner.tools.jsonlines import (
    amount,
    failure_of,
    member,
    parse_object,
    text_at,
    total,
)
from aurora_spawner.tools.registry import (
    AGENT_CLIS,
    PROGRAM_TOOLS,
    TOOLS,
    find_agent_cli,
    get_tool,
    missing_agent_cli,
)

__all__ = [
    "AGENT_CLIS",
    "PROGRAM_TOOLS",
    "TOOLS",
    "Answer",
    "Detection",
    "Facts",
    "Invocation",
    "Notice",
    "Pattern",
    "Reader",
    "Reply",
    "Retrying",
    "TextReader",
    "Tool",
    "Worked",
    "amount",
    "failure_of",
    "find_agent_cli",
    "get_tool",
    "member",
    "missing_agent_cli",
    "parse_object",
    "text_at",
    "total",
]
