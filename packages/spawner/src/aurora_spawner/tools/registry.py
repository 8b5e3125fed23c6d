"""Which tools there are, and which one answers.

Another package adds a tool with an entry point of the group `aurora_spawner.tools`: its name is the
tool's name, its object makes the tool when it is called without arguments (a class that satisfies
`Tool`). What ships here cannot be replaced.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from aurora_spawner.errors import InvalidTaskError, UnknownToolError
from aurora_spawner.tools.acp import AcpTool
from aurora_spawner.tools.adapter import Tool
from aurora_spawner.tools.claude import ClaudeTool
from aurora_spawner.tools.codex import CodexTool
from aurora_spawner.tools.command import CommandTool
from aurora_spawner.tools.extract import ExtractTool
from aurora_spawner.tools.gemini import GeminiTool
from aurora_spawner.tools.llm import LlmTool
from aurora_spawner.tools.opencode import OpencodeTool

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "AGENT_CLIS",
    "PROGRAM_TOOLS",
    "TOOLS",
    "find_agent_cli",
    "get_tool",
    "missing_agent_cli",
]

AGENT_CLIS = ("claude", "codex", "gemini", "opencode", "llm")
"""The tools looked for on PATH, in this order, when none is named."""

PROGRAM_TOOLS = ("acp", "command")
"""The tools that run a task's own `command`, which is why none can be chosen without one."""

_GROUP = "aurora_spawner.tools"


class _Tools(Mapping[str, Tool]):
    """The tools that ship, then those of other packages, which are loaded when they are used."""

    def __init__(self, *shipped: Tool) -> None:
        self._loaded = {tool.name: tool for tool in shipped}
        self._shipped = tuple(self._loaded)

    @cached_property
    def _added(self) -> Mapping[str, EntryPoint]:
        # Only where no shipped tool is meant: it reads the metadata of every package.
        from importlib.metadata import entry_points

        found = {point.name: point for point in entry_points(group=_GROUP)}
        return {name: found[name] for name in sorted(found) if name not in self._shipped}

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._added

    def __getitem__(self, name: str) -> Tool:
        if name not in self._loaded:
            self._loaded[name] = _load(self._added[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._shipped
        yield from self._added

    def __len__(self) -> int:
        return len(self._shipped) + len(self._added)


def _load(point: EntryPoint) -> Tool:
    try:
        tool: Tool = point.load()()
        if tool.name != point.name:
            raise ValueError(f'it calls itself "{tool.name}"')
    except Exception as error:
        package = point.dist.name if point.dist else point.value
        raise InvalidTaskError(
            "tool", f'"{point.name}" of {package} cannot be used: {error}; update or remove it'
        ) from error
    return tool


TOOLS: Mapping[str, Tool] = _Tools(
    ClaudeTool(),
    CodexTool(),
    GeminiTool(),
    OpencodeTool(),
    LlmTool(),
    AcpTool(),
    CommandTool(),
    ExtractTool(),
)
"""Every tool by its name.

Looking one up raises InvalidTaskError where another package's cannot be loaded.
"""


def get_tool(name: str) -> Tool:
    """The tool of that name.

    Raises:
        UnknownToolError: There is none.
        InvalidTaskError: Another package's cannot be loaded.
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
