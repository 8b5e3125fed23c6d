"""Where each CLI keeps its agents, in a project and in the user's home; pure.

The order of the formats decides between files of one name that are equally near: the CLIs as they
are looked for on PATH, then those without an adapter.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from aurora_soar.definitions.definition import Definition
from aurora_soar.definitions.formats import (
    read_claude,
    read_codex,
    read_copilot,
    read_gemini,
    read_opencode,
)
from aurora_soar.folders import home_folder

__all__ = ["FORMATS", "Format", "Place", "Scope", "places"]

Scope: TypeAlias = Literal["project", "home"]
"""Whose files they are: whoever wrote the project's, or the user's own."""


@dataclass(frozen=True, slots=True)
class Format:
    """The files of one CLI.

    Attributes:
        cli: Its name.
        ending: How the names of its files end.
        folders: Where they lie in a project, and in the home folder.
        read: Reads one, from its text and its name without the ending.
        home_folders: Where else they lie in the home folder; these come first.
        home_variable: A variable that names the folder of the CLI in the place of the one at home.
    """

    cli: str
    ending: str
    folders: tuple[str, ...]
    read: Callable[[str, str], Definition | None]
    home_folders: tuple[str, ...] = ()
    home_variable: str = ""


FORMATS: Sequence[Format] = (
    Format("claude", ".md", (".claude/agents",), read_claude, home_variable="CLAUDE_CONFIG_DIR"),
    Format("codex", ".toml", (".codex/agents",), read_codex, home_variable="CODEX_HOME"),
    Format("gemini", ".md", (".gemini/agents",), read_gemini),
    Format(
        "opencode",
        ".md",
        (".opencode/agent", ".opencode/agents"),
        read_opencode,
        home_folders=(".config/opencode/agent", ".config/opencode/agents"),
    ),
    Format(
        "copilot", ".agent.md", (".github/agents",), read_copilot, home_folders=(".copilot/agents",)
    ),
)
"""In the order in which they count."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may hold definitions.

    Attributes:
        base: The folder of the project, or the home folder, that it lies in.
        folder: Where it is.
        format: What its files are.
        scope: Whose they are.
    """

    base: Path
    folder: Path
    format: Format
    scope: Scope


def places(project: Sequence[Path], environment: Mapping[str, str] = os.environ) -> Iterator[Place]:
    """The folders to look into; whoever comes first wins.

    Args:
        project: The folders of the project, the nearest first.
        environment: Our variables, which say where home is.
    """
    home = home_folder(environment)
    for base in project:
        # Its files are the user's own, also where we stand in it.
        if base != home.resolve():
            for each in FORMATS:
                for name in each.folders:
                    yield Place(base, base / name, each, "project")
    for each in FORMATS:
        for folder in _at_home(each, home, environment):
            yield Place(home, folder, each, "home")


def _at_home(format_: Format, home: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    named = environment.get(format_.home_variable, "")
    if os.path.isabs(named):
        yield Path(named) / "agents"
        return
    for folder in (*format_.home_folders, *format_.folders):
        yield home / folder
