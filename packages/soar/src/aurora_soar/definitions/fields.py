"""The fields of a definition, each checked when it is asked for; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aurora_soar.definitions.definition import DefinitionError

__all__ = ["Fields", "checked_name"]

# Characters: longer than any name that a person types.
_LONGEST_NAME = 100

# Characters of a value that a person is shown.
_SHOWN = 200


def checked_name(name: str) -> str:
    """The name, if it can be shown, typed, and put where an option could stand.

    A `/` is one of opencode's, whose names lead through folders.

    Raises:
        DefinitionError: It is too long, hides something, begins with `-` or leads elsewhere.
    """
    if len(name) > _LONGEST_NAME:
        raise DefinitionError(f"its name has {len(name)} characters; {_LONGEST_NAME} may be")
    if not name.isprintable() or "\\" in name:
        raise DefinitionError(f"its name {json.dumps(name)} has characters that no name may have")
    if name.startswith("-"):
        raise DefinitionError(f'its name "{name}" begins with "-", like an option')
    if any(not part.strip(". ") for part in name.split("/")):
        raise DefinitionError(f'its name "{name}" is one of a folder')
    return name


class Fields:
    """What a definition says, by key.

    Args:
        said: The keys and their values.
    """

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said

    def text(self, key: str) -> str:
        """A text without space around it; empty if there is none.

        Raises:
            DefinitionError: It is something else, or no file could hold it.
        """
        value = self._said.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise DefinitionError(f'"{key}" must be a text, not {self._shown(value)}')
        if "\0" in value or _has_surrogates(value):
            raise DefinitionError(f'"{key}" has characters that no text may have')
        return value.strip()

    def model(self) -> str | None:
        """The model; None if it is left to the CLI.

        Raises:
            DefinitionError: It is no name of a model.
        """
        name = self.text("model")
        if name.startswith("-"):
            raise DefinitionError(f'"model" begins with "-", like an option: {json.dumps(name)}')
        if not name.isprintable():
            raise DefinitionError('"model" has characters that no name may have')
        return None if name in {"", "inherit"} else name

    def words(self, key: str) -> list[str] | None:
        """Words of a list, or of a text with commas between them; None if there is nothing."""
        value = self._said.get(key)
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list):
            return None
        return [word for each in value if (word := str(each).strip())]

    def table(self, key: str) -> Mapping[str, Any]:
        """A table; empty if there is none."""
        value = self._said.get(key)
        return value if isinstance(value, dict) else {}

    def is_set(self, key: str) -> bool:
        """Whether a switch is on."""
        return self._said.get(key) is True

    def says(self, key: str) -> Any:
        """The value as it is; None if there is none."""
        return self._said.get(key)

    def demands(self, *keys: str) -> tuple[str, ...]:
        """Those of the keys that are said, with what they say, ready to be shown."""
        return tuple(
            f"{key}: {self._shown(self._said[key])}" for key in keys if self._said.get(key)
        )

    @staticmethod
    def _shown(value: object) -> str:
        text = json.dumps(value, default=str)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
