"""The files that settings stand in: where they are, what they say, and on which line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurora_soar.folders import upwards
from aurora_soar.plan import Problem
from aurora_soar.plan.lines import Lines, toml_lines

__all__ = ["ConfigError", "SettingsFile", "project_file", "user_file"]

_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


class ConfigError(ValueError):
    """Settings that cannot be used.

    Attributes:
        problems: Everything that is wrong, in order.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file with settings.

    Attributes:
        path: Where it is.
        shown: How people are told of it.
        table: The table that holds the settings, by the keys that lead there.
        values: What it says.
        lines: Where.
        content: What was read, byte by byte: trust is given to that and nothing else.
    """

    path: Path
    shown: str
    table: tuple[str, ...]
    values: Mapping[str, Any]
    lines: Lines
    content: bytes

    def line(self, name: str) -> int | None:
        """The line of a setting, from 1."""
        return self.lines[(*self.table, name)]


def user_file(path: Path, home: Path) -> SettingsFile | None:
    """The user's own file; None without one.

    Args:
        path: Where it is.
        home: The user's home folder, for `~` where people are told of the file.

    Raises:
        ConfigError: It cannot be read or is no TOML.
    """
    shown = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
    return _read(path, shown, ())


def project_file(here: Path) -> SettingsFile | None:
    """The project's file: the nearest upwards, to the top of the repository; None without one.

    In each folder `aurora.toml` counts before a `pyproject.toml` with a table `[tool.aurora]`.
    Outside of a repository only the folder itself is looked into: what lies above may be anybody's.

    Raises:
        ConfigError: It cannot be read or is no TOML.
    """
    for folder in upwards(here.resolve()):
        for name, table in (("aurora.toml", ()), ("pyproject.toml", ("tool", "aurora"))):
            found = _read(folder / name, os.path.relpath(folder / name, here), table)
            if found is not None:
                return found
    return None


def _read(path: Path, shown: str, table: tuple[str, ...]) -> SettingsFile | None:
    """What a file says; None if it is not there, or has no such table."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        values: Any = tomllib.loads(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError([Problem(shown, None, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(shown, None, "is not UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        text = f"not valid TOML: {_PLACE.sub('', str(error))}"
        raise ConfigError([Problem(shown, int(place[1]) if place else None, text)]) from None
    for key in table:
        values = values.get(key) if isinstance(values, dict) else None
    if values is None:
        return None
    lines = toml_lines(text)
    if not isinstance(values, dict):
        named = ".".join(table)
        raise ConfigError([Problem(shown, lines[table], f"{named} must be a table: [{named}]")])
    return SettingsFile(path, shown, table, values, lines, content)
