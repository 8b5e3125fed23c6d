"""Claude Code: `.claude/agents/*.md`, the name in the front matter."""

from __future__ import annotations

from aurora_soar.definitions.definition import Definition
from aurora_soar.definitions.fields import Fields, checked_name
from aurora_soar.definitions.formats.markdown import persona_of, read_markdown
from aurora_spawner import Permissions

__all__ = ["read_claude"]

# Its tools that change something, or can.
_WRITING = frozenset({"Bash", "Edit", "MultiEdit", "NotebookEdit", "Write"})

# Its modes that widen nothing.
_MODES = frozenset({"", "default", "plan"})


def read_claude(text: str, stem: str) -> Definition | None:
    """The agent of a file; None if the file switches it off.

    Args:
        text: What the file says.
        stem: Its name without ending, for files that tell no name.

    Raises:
        DefinitionError: It is none.
    """
    fields, body = read_markdown(text)
    if fields.is_set("disabled"):
        return None
    mode = fields.text("permissionMode")
    wider = () if mode in _MODES else fields.demands("permissionMode")
    return Definition(
        checked_name(fields.text("name") or stem),
        "claude",
        persona_of(fields, body),
        purpose=fields.text("description"),
        model=fields.model(),
        permissions=_confined(fields, mode),
        demands=(*wider, *fields.demands("hooks", "mcpServers")),
    )


def _confined(fields: Fields, mode: str) -> Permissions | None:
    """Read-only where it has none of the tools that write."""
    allowed = fields.words("tools")
    denied = _bare(fields.words("disallowedTools") or ())
    may_write = _WRITING if allowed is None or "*" in allowed else _WRITING & _bare(allowed)
    return "read-only" if mode == "plan" or not may_write - denied else None


def _bare(tools: list[str] | tuple[str, ...]) -> set[str]:
    """The tools without what restricts them: `Bash(git:*)` can still write."""
    return {tool.partition("(")[0].strip() for tool in tools}
