"""Gemini CLI: `.gemini/agents/*.md`, the name in the front matter."""

from __future__ import annotations

from aurora_soar.definitions.definition import Definition, DefinitionError
from aurora_soar.definitions.fields import checked_name
from aurora_soar.definitions.formats.markdown import persona_of, read_markdown

__all__ = ["read_gemini"]

# Its tools that change something, or can; a `*` in a name stands for any.
_WRITING = ("run_shell_command", "replace", "write_file", "edit", "*")


def read_gemini(text: str, stem: str) -> Definition | None:
    """The agent of a file.

    Args:
        text: What the file says.
        stem: Its name without ending, for files that tell no name.

    Raises:
        DefinitionError: It is none, or one that runs elsewhere.
    """
    fields, body = read_markdown(text)
    if fields.text("kind") == "remote":
        raise DefinitionError("is a remote agent (kind: remote), which no tool here can ask")
    tools = fields.words("tools")
    return Definition(
        checked_name(fields.text("name") or stem),
        "gemini",
        persona_of(fields, body),
        purpose=fields.text("description"),
        model=fields.model(),
        permissions="read-only" if tools is not None and not {*tools} & {*_WRITING} else None,
        demands=fields.demands("hooks", "mcpServers", "mcp_servers"),
    )
