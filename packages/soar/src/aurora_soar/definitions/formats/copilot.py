"""GitHub Copilot: `.github/agents/*.agent.md`. It has no adapter, so the default tool answers."""

from __future__ import annotations

from aurora_soar.definitions.definition import Definition
from aurora_soar.definitions.fields import checked_name
from aurora_soar.definitions.formats.markdown import persona_of, read_markdown

__all__ = ["read_copilot"]


def read_copilot(text: str, stem: str) -> Definition | None:
    """The agent of a file; its model is Copilot's, and means nothing to another tool.

    Args:
        text: What the file says.
        stem: Its name without ending, for files that tell no name.

    Raises:
        DefinitionError: It is none.
    """
    fields, body = read_markdown(text)
    return Definition(
        checked_name(fields.text("name") or stem),
        None,
        persona_of(fields, body),
        purpose=fields.text("description"),
        demands=fields.demands("hooks", "mcp-servers"),
    )
