"""The graph of a plan, drawn: as a tree for people, as Mermaid for pages; pure.

survey
├── api
│   └── verify  (and after docs)
└── docs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from aurora_soar.plan.model import Plan
from aurora_soar.plan.schedule import rounds
from aurora_spawner import safe_line

__all__ = ["GraphForm", "draw"]

GraphForm: TypeAlias = Literal["text", "mermaid"]


def draw(plan: Plan, form: GraphForm) -> Iterator[str]:
    """The lines of the drawing; none for an empty plan drawn as a tree."""
    return _tree(plan) if form == "text" else _mermaid(plan)


def _tree(plan: Plan) -> Iterator[str]:
    """Each subgoal stands once: below the one it waits for that comes last in the rounds."""
    depths = {subgoal.id: depth for depth, round_ in enumerate(rounds(plan)) for subgoal in round_}
    below: dict[str | None, list[str]] = {}
    words = {}
    for subgoal in plan.subgoals:
        last = max(subgoal.depends_on, key=depths.__getitem__, default=None)
        below.setdefault(last, []).append(subgoal.id)
        others = ", ".join(safe_line(each) for each in subgoal.depends_on if each != last)
        words[subgoal.id] = f"{safe_line(subgoal.id)}{f'  (and after {others})' if others else ''}"
    for top in below.get(None, ()):
        yield words[top]
        yield from _branches(top, below, words)


def _branches(
    top: str, below: Mapping[str | None, Sequence[str]], words: Mapping[str, str]
) -> Iterator[str]:
    """What hangs below a subgoal; not recursive, since a chain may be long."""
    # What is still to be drawn, the next one last: who, and what stands before it.
    left = _hung(below.get(top, ()), "")
    while left:
        name, indent, is_last = left.pop()
        yield f"{indent}{'└── ' if is_last else '├── '}{words[name]}"
        left += _hung(below.get(name, ()), indent + ("    " if is_last else "│   "))


def _hung(names: Sequence[str], indent: str) -> list[tuple[str, str, bool]]:
    return [(name, indent, name == names[-1]) for name in reversed(names)]


def _mermaid(plan: Plan) -> Iterator[str]:
    numbers = {subgoal.id: f"s{number}" for number, subgoal in enumerate(plan.subgoals)}
    yield "flowchart LR"
    for subgoal in plan.subgoals:
        # Entities are Mermaid's way to write what would end a label.
        label = safe_line(subgoal.id).replace("#", "#35;").replace('"', "#quot;")
        yield f'    {numbers[subgoal.id]}["{label}"]'
    for subgoal in plan.subgoals:
        for needed in subgoal.depends_on:
            yield f"    {numbers[needed]} --> {numbers[subgoal.id]}"
