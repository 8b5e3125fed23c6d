"""Codex: `.codex/agents/*.toml`, with the persona under `developer_instructions`."""

from __future__ import annotations

import re
import tomllib

from aurora_soar.definitions.definition import Definition, DefinitionError
from aurora_soar.definitions.fields import Fields, checked_name
from aurora_spawner import Permissions

__all__ = ["read_codex"]

_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")

# What else may stand there is Codex's whole configuration; these name commands, files and places
# that prompts are sent to.
_HARMFUL = (
    "approval_policy",
    "default_permissions",
    "experimental_instructions_file",
    "hooks",
    "mcp_servers",
    "model_instructions_file",
    "model_provider",
    "model_providers",
    "notify",
    "permissions",
    "sandbox_workspace_write",
    "shell_environment_policy",
)

_SANDBOXES: dict[str, Permissions] = {
    "read-only": "read-only",
    "workspace-write": "workspace-write",
}


def read_codex(text: str, stem: str) -> Definition | None:
    """The agent of a file.

    Args:
        text: What the file says.
        stem: Its name without ending, for files that tell no name.

    Raises:
        DefinitionError: It is none.
    """
    try:
        fields = Fields(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        line = int(place[1]) if place else None
        raise DefinitionError(f"not valid TOML: {_PLACE.sub('', str(error))}", line) from None
    except RecursionError:
        raise DefinitionError("is nested too deeply") from None
    purpose = fields.text("description")
    persona = fields.text("developer_instructions") or purpose
    if not persona:
        raise DefinitionError('does not say who the agent is: "developer_instructions" is missing')
    sandbox = fields.text("sandbox_mode")
    wider = () if sandbox in {"", "read-only"} else fields.demands("sandbox_mode")
    return Definition(
        checked_name(fields.text("name") or stem),
        "codex",
        persona,
        purpose=purpose,
        model=fields.model(),
        permissions=_SANDBOXES.get(sandbox),
        demands=(*wider, *fields.demands(*_HARMFUL)),
    )
