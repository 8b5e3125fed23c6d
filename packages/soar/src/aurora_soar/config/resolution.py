"""What holds: flags over `AURORA_*` over the project's file over the user's over the defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from aurora_soar.config.files import ConfigError, SettingsFile, project_file, user_file
from aurora_soar.config.settings import SETTINGS, Setting, Settings
from aurora_soar.folders import config_folder
from aurora_soar.plan import Problem, did_you_mean
from aurora_soar.plan.validation import wrong_value
from aurora_soar.trust import Standing, not_used

__all__ = ["Configuration", "Origin", "StandingOf", "demands", "resolve", "trust_nobody"]

StandingOf: TypeAlias = Callable[[Path, bytes], Standing]
"""Whether the user trusts a project's file, of which this was read."""

# Settings that are files: seen from the folder of the project's file that names them.
_PATHS = {"html", "junit", "trace", "events"}


# From 0 to 1, how like one of ours a variable has to be to be taken for a slip. Others have
# variables that begin as ours do, and 0.6, which serves for keys, takes those in.
_ALMOST = 0.85


def trust_nobody(path: Path, content: bytes) -> Standing:
    """No project's file is trusted."""
    return Standing.UNKNOWN


def demands(file: SettingsFile) -> tuple[str, ...]:
    """What a project's file says that is not used until the user trusts it; ready to be shown."""
    return tuple(
        f"{name} = {json.dumps(value, default=str)}"
        for name, value in file.values.items()
        if name in SETTINGS and SETTINGS[name].in_project_file == "once trusted"
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: What it is.
        name: For people: `flag`, `AURORA_JOBS`, `aurora.toml:3`, `default`.
        file: The file.
        line: Its line, from 1.
    """

    kind: Literal["flag", "environment", "project", "user", "default"]
    name: str
    file: Path | None = None
    line: int | None = None


_DEFAULT = Origin("default", "default")
_FLAG = Origin("flag", "flag")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings that hold.

    Attributes:
        settings: Their values.
        origins: Where each comes from, by name.
        notes: What was said and is not used, and why; a line each.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    notes: tuple[str, ...] = ()

    def decided(self, name: str) -> Any:
        """The value, if it wins over the plan: a flag or a variable said it; else None."""
        wins = self.origins[name].kind in {"flag", "environment"}
        return getattr(self.settings, name) if wins else None

    def suggested(self, name: str) -> Any:
        """The value, if it is for where the plan says nothing: a file said it; else None."""
        fills = self.origins[name].kind in {"project", "user"}
        return getattr(self.settings, name) if fills else None


def resolve(
    flags: Mapping[str, Any],
    *,
    here: Path,
    environment: Mapping[str, str] = os.environ,
    standing_of: StandingOf = trust_nobody,
) -> Configuration:
    """Bring together what everybody says.

    Args:
        flags: The values of the command line by name, checked already; None where none is given.
        here: Where we stand.
        environment: Our variables.
        standing_of: Whether a project's file may decide what not every project may.

    Raises:
        ConfigError: A file or a variable says what cannot be; names all of it.
    """
    home = Path(environment.get("HOME", "/"))
    said = _Said(config_folder(environment) / "config.toml")
    own = user_file(said.own_file, home)
    if own is not None:
        said.by_user(own)
    project = project_file(here)
    if project is not None:
        said.by_project(project, standing_of)
    said.by_environment(environment)
    for name, value in flags.items():
        if value is not None:
            said.takes(name, value, _FLAG)
    if said.problems:
        raise ConfigError(said.problems)
    settings = Settings.model_construct(**said.values)
    origins = {name: said.origins.get(name, _DEFAULT) for name in SETTINGS}
    return Configuration(settings, origins, tuple(said.notes))


class _Said:
    """What was said so far; whoever comes later wins."""

    def __init__(self, own_file: Path) -> None:
        self.own_file = own_file
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def takes(self, name: str, value: Any, origin: Origin) -> None:
        self.values[name] = value
        self.origins[name] = origin

    def by_user(self, file: SettingsFile) -> None:
        for setting in self._known(file):
            if not setting.in_user_file:
                self._only_a_flag(file, setting)
            else:
                self._from_file(file, setting, "user")

    def by_project(self, file: SettingsFile, standing_of: StandingOf) -> None:
        standing: Standing | None = None
        for setting in self._known(file):
            if setting.in_project_file == "no":
                if setting.in_user_file:
                    text = f'"{setting.name}" is for your own file alone: {self.own_file}'
                    self.problems.append(Problem(file.shown, file.line(setting.name), text))
                else:
                    self._only_a_flag(file, setting)
                continue
            if setting.in_project_file == "once trusted":
                standing = standing or standing_of(file.path, file.content)
                if standing is not Standing.TRUSTED:
                    text = f'"{setting.name}" {not_used(standing, file.shown)}'
                    self.notes.append(str(Problem(file.shown, file.line(setting.name), text)))
                    continue
            self._from_file(file, setting, "project")

    def by_environment(self, environment: Mapping[str, str]) -> None:
        known = {variable: each for each in SETTINGS.values() for variable in each.variables}
        for setting in SETTINGS.values():
            for variable in reversed(setting.variables):
                # An empty one is what shells have for unset.
                if text := environment.get(variable):
                    try:
                        read = Settings.model_validate_strings({setting.name: text})
                    except ValidationError as error:
                        self._wrong(error, Problem(variable, None, ""), "")
                    else:
                        value = getattr(read, setting.name)
                        self.takes(setting.name, value, Origin("environment", variable))
        self.notes += [
            note for each in environment if each not in known and (note := _stray(each, known))
        ]

    def _known(self, file: SettingsFile) -> list[Setting]:
        """The settings that a file names; a problem for every other key."""
        for name in file.values:
            if name not in SETTINGS:
                hint = did_you_mean(name, SETTINGS) or f" There are {', '.join(SETTINGS)}."
                text = f'unknown setting "{name}".{hint}'
                self.problems.append(Problem(file.shown, file.line(name), text))
        return [SETTINGS[name] for name in file.values if name in SETTINGS]

    def _only_a_flag(self, file: SettingsFile, setting: Setting) -> None:
        flag = f"--{setting.name.replace('_', '-')}"
        text = f'"{setting.name}" is for the command line alone: {flag}'
        self.problems.append(Problem(file.shown, file.line(setting.name), text))

    def _from_file(
        self, file: SettingsFile, setting: Setting, kind: Literal["project", "user"]
    ) -> None:
        name, line = setting.name, file.line(setting.name)
        try:
            read = Settings.model_validate({name: file.values[name]})
        except ValidationError as error:
            self._wrong(error, Problem(file.shown, line, ""), f'"{name}": ')
            return
        value = getattr(read, name)
        if name in _PATHS and kind == "project" and value != "-":
            value = str(file.path.parent / value)
        place = str(Problem(file.shown, line, "")).removesuffix(": ")
        self.takes(name, value, Origin(kind, place, file.path, line))

    def _wrong(self, error: ValidationError, place: Problem, prefix: str) -> None:
        # Of a list the first wrong item says enough.
        text = f"{prefix}{wrong_value(dict(error.errors(include_url=False)[0]))}"
        self.problems.append(Problem(place.file, place.line, text))


def _stray(variable: str, known: Collection[str]) -> str | None:
    """What to say of a variable that begins as ours do; None: it is somebody else's."""
    name = variable.removeprefix("AURORA_").lower()
    if variable.startswith("AURORA_") and name in SETTINGS:
        return f"{variable} is not read: use --{name.replace('_', '-')}"
    close = get_close_matches(variable, known, n=1, cutoff=_ALMOST)
    return f'{variable} is not known. Did you mean "{close[0]}"?' if close else None
