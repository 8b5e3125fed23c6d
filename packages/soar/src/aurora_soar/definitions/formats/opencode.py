"""opencode: `.opencode/agent/*.md` and `.opencode/agents/*.md`, the file name is the name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aurora_soar.definitions.definition import Definition
from aurora_soar.definitions.fields import Fields, checked_name
from aurora_soar.definitions.formats.markdown import persona_of
from aurora_soar.definitions.frontmatter import front_matter
from aurora_spawner import Permissions

__all__ = ["read_opencode"]

# What may be allowed without harm.
_LOOKING = frozenset(
    {"glob", "grep", "list", "lsp", "question", "read", "skill", "todoread", "todowrite"}
)


def read_opencode(text: str, stem: str) -> Definition | None:
    """The agent of a file; None if the file switches it off.

    Args:
        text: What the file says; front matter may be missing.
        stem: Its name without ending, with the folders that lead to it.

    Raises:
        DefinitionError: It is none.
    """
    keys, body = front_matter(text)
    fields = Fields(keys)
    if fields.is_set("disable"):
        return None
    return Definition(
        checked_name(stem),
        "opencode",
        persona_of(fields, body),
        purpose=fields.text("description"),
        model=fields.model(),
        permissions=_confined(fields),
        demands=fields.demands("permission") if _widens(fields.says("permission")) else (),
    )


def _widens(permission: Any) -> bool:
    """Whether something beside looking around is allowed unasked, as a whole or for a pattern."""
    if isinstance(permission, Mapping):
        return any(_allows(said) for key, said in permission.items() if key not in _LOOKING)
    return _allows(permission)


def _allows(said: Any) -> bool:
    return "allow" in said.values() if isinstance(said, Mapping) else bool(said == "allow")


def _confined(fields: Fields) -> Permissions | None:
    """Read-only where neither editing nor a shell is left to it."""
    if fields.says("permission") == "deny":
        return "read-only"
    permission, tools = fields.table("permission"), fields.table("tools")
    no_shell = permission.get("bash") == "deny" or tools.get("bash") is False
    no_edits = permission.get("edit") == "deny" or (
        tools.get("edit") is False and tools.get("write") is False
    )
    return "read-only" if no_shell and no_edits else None
