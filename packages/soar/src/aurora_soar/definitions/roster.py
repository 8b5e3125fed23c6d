"""Who there is: the definitions that were found, by name, and which of them count; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aurora_soar.definitions.definition import Definition
from aurora_soar.definitions.places import Place, Scope

__all__ = ["Broken", "Found", "Roster"]


@dataclass(frozen=True, slots=True)
class Found:
    """A definition and where it comes from.

    Attributes:
        definition: What it says.
        place: Where its file lies.
        path: Its file.
        shown: How people are told of the file.
        content: What was read, byte by byte.
    """

    definition: Definition
    place: Place
    path: Path
    shown: str
    content: bytes

    @property
    def cli(self) -> str:
        """The CLI that it is for."""
        return self.place.format.cli

    @property
    def scope(self) -> Scope:
        """Whose it is."""
        return self.place.scope

    @property
    def waits_for_trust(self) -> bool:
        """Whether it is used only once the user trusts its file (F71)."""
        return self.scope == "project" and bool(self.definition.demands)

    def wins_because(self, other: Found) -> str:
        """Why it counts and another one of its name, found later, does not."""
        if self.scope != other.scope:
            return "a project's agents come before yours"
        if self.place.base != other.place.base:
            return "it is farther away"
        if self.cli != other.cli:
            return f"{self.cli} comes before {other.cli}"
        return "it is read later"


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that was skipped.

    Attributes:
        path: The file, or a folder that cannot be looked into.
        shown: How people are told of it.
        stem: Its name without the ending, which may be that of the agent.
        line: The line that is wrong, from 1; None where there is none to tell.
        reason: What is wrong with it.
    """

    path: Path
    shown: str
    stem: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = self.shown if self.line is None else f"{self.shown}:{self.line}"
        return f"{place}: {self.reason}"


class Roster:
    """The definitions that were found.

    Args:
        found: All of them, in the order in which they count.
        broken: What was skipped.

    Attributes:
        broken: What was skipped.
    """

    def __init__(self, found: Iterable[Found], broken: Sequence[Broken] = ()) -> None:
        self.broken = tuple(broken)
        self._by_name: dict[str, list[Found]] = {}
        for each in found:
            self._by_name.setdefault(each.definition.name, []).append(each)

    @property
    def agents(self) -> Mapping[str, Found]:
        """The one that counts for each name, in the order in which they were found."""
        return {name: found[0] for name, found in self._by_name.items()}

    @property
    def all(self) -> Sequence[Found]:
        """Everything that was found, also what does not count."""
        return [each for found in self._by_name.values() for each in found]

    def shadowed(self, name: str) -> Sequence[Found]:
        """Those of the name that do not count, the next one first."""
        return self._by_name.get(name, [])[1:]
