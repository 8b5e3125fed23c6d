"""Looks for the agent definition files that people have, and reads them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from aurora_soar.definitions.definition import DefinitionError
from aurora_soar.definitions.places import Place, places
from aurora_soar.definitions.roster import Broken, Found, Roster
from aurora_soar.folders import home_folder, upwards

__all__ = ["discover"]

# Bytes: a persona is some pages.
_LARGEST = 1024 * 1024


def discover(here: Path, environment: Mapping[str, str] = os.environ) -> Roster:
    """The agents of the project that we stand in, and those of the user.

    A project's count before the user's, nearer ones before those farther up, and between CLIs the
    order of `FORMATS` decides. What cannot be read or understood is skipped, and told.

    Args:
        here: Where we stand.
        environment: Our variables.
    """
    here, home = here.resolve(), home_folder(environment)
    found: list[Found] = []
    broken: list[Broken] = []
    for place in places(list(upwards(here)), environment):
        for path, problem in _files(place):
            base = here if place.scope == "project" else home
            shown = _shown(path, base, place)
            try:
                if problem is not None:
                    raise DefinitionError(f"cannot be looked into: {problem.strerror}")
                each = _found(path, shown, place)
            except DefinitionError as error:
                broken.append(Broken(path, shown, _stem(path, place), error.line, str(error)))
            else:
                found += [] if each is None else [each]
    return Roster(found, broken)


def _files(place: Place) -> Iterator[tuple[Path, OSError | None]]:
    """The files of a place and of the folders in it, in order; folders with what is wrong."""
    problems: list[OSError] = []
    for folder, inner, names in os.walk(place.folder, onerror=problems.append):
        inner.sort()
        for name in sorted(names):
            if name.endswith(place.format.ending) and not name.startswith("."):
                yield Path(folder, name), None
    for problem in problems:
        if not isinstance(problem, FileNotFoundError | NotADirectoryError):
            yield Path(problem.filename), problem


def _found(path: Path, shown: str, place: Place) -> Found | None:
    """What a file defines; None if it is switched off.

    Raises:
        DefinitionError: It cannot be read, or defines nothing.
    """
    content = _read(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DefinitionError("is not UTF-8 text", line) from None
    definition = place.format.read(text, _stem(path, place))
    if definition is None:
        return None
    return Found(definition, place, path, shown, content)


def _read(path: Path) -> bytes:
    """What a file says.

    Raises:
        DefinitionError: It cannot be read, is no file, or is too large.
    """
    try:
        # Without waiting: a pipe of that name would never answer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise DefinitionError("is no file")
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise DefinitionError(f"cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise DefinitionError(f"is larger than {_LARGEST // 1024} KiB")
    return content


def _stem(path: Path, place: Place) -> str:
    """The name of a file without its ending, with the folders that lead to it."""
    name = os.path.relpath(path, place.folder)
    return name.removesuffix(place.format.ending)


def _shown(path: Path, base: Path, place: Place) -> str:
    if place.scope == "project":
        return os.path.relpath(path, base)
    return f"~/{path.relative_to(base)}" if path.is_relative_to(base) else str(path)
