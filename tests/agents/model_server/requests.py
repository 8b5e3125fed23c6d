"""What a request says, in whatever protocol it came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# The names of the shell in the agents that are tested, as they offer it to the model.
SHELLS = ("Bash", "bash", "exec_command", "shell", "shell_command", "run_shell_command")

_MARKER = re.compile(r"TASK-\w+")


@dataclass(frozen=True)
class Asked:
    """One request for an answer.

    Attributes:
        model: The model that was asked for.
        text: All that the user and the system said, and the agent before.
        turn: How many results of tools it holds: the turns that were paid before.
        shell: The agent's tool that runs commands, as it was offered; None if there is none.
        number: The how many-th request this is, from 1.
    """

    model: str
    text: str
    turn: int
    shell: Shell | None
    number: int = 0

    @property
    def task(self) -> str:
        """The first word TASK-... in it; empty if there is none."""
        found = _MARKER.search(self.text)
        return found[0] if found else ""


@dataclass(frozen=True)
class Shell:
    """A tool that runs commands.

    Attributes:
        name: What the agent calls it.
        schema: The JSON Schema of its arguments.
    """

    name: str
    schema: Mapping[str, object]

    def arguments(self, command: str) -> dict[str, object]:
        """Those that run the command, as the schema wants them."""
        known = self.schema.get("properties")
        properties = known if isinstance(known, dict) else {}
        key = "cmd" if "cmd" in properties else "command"
        listed = properties.get(key, {}).get("type") == "array"
        said: dict[str, object] = {key: ["bash", "-lc", command] if listed else command}
        required = self.schema.get("required")
        for name in required if isinstance(required, list) else ():
            if name not in said:
                said[name] = "what the test asks for"
        return said


def shell_among(tools: Sequence[tuple[object, object]]) -> Shell | None:
    """The shell among tools, given by name and schema."""
    for name, schema in tools:
        if name in SHELLS:
            return Shell(str(name), schema if isinstance(schema, dict) else {})
    return None


def texts(value: object) -> Iterator[str]:
    """Every text in a piece of JSON, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)


def count(value: object, **wanted: object) -> int:
    """How many objects in a piece of JSON have such a member."""
    if isinstance(value, dict):
        [(key, expected)] = wanted.items()
        inner = sum(count(part, **wanted) for part in value.values())
        return inner + (value.get(key) == expected)
    if isinstance(value, list):
        return sum(count(part, **wanted) for part in value)
    return 0
