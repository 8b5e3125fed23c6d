"""What is wrong with a plan, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from aurora_soar.plan.lines import KeyPath

__all__ = ["Fault", "PlanError", "Problem", "did_you_mean", "label"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at a place in a plan's data; `path` may be the place where it is missing."""

    path: KeyPath
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a plan file.

    Attributes:
        file: The file, as the user named it.
        line: Counted from 1; None where there is none to tell.
        text: What is wrong and what would be right, in one line.
    """

    file: str
    line: int | None
    text: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.text}"


class PlanError(ValueError):
    """A plan that cannot be run.

    Attributes:
        problems: Everything that is wrong with it, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean "known"?`, for the closest known name; empty if none is close."""
    close = get_close_matches(name, list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""


def label(position: int, subgoal: object) -> str:
    """What a subgoal is called in messages: by its id, if it has one."""
    name = subgoal.get("id") if isinstance(subgoal, Mapping) else None
    return f'subgoal "{name}"' if isinstance(name, str) and name else f"subgoal {position + 1}"
