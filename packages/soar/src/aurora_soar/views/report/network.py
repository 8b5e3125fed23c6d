"""The graph of a plan as boxes and curves: each subgoal right of all that it needs; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

__all__ = ["Box", "Curve", "Network", "lay_out"]

BOX_WIDTH = 176
BOX_HEIGHT = 30
_COLUMN = BOX_WIDTH + 56
_LINE = BOX_HEIGHT + 12
_MARGIN = 8

# Sweeps that move boxes towards those that they are tied to; more change nothing to the eye.
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """A subgoal: its position in the plan, and the corner of its box in pixels."""

    position: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Curve:
    """An edge from a box to one that needs it, as the data of an SVG path."""

    path: str
    is_critical: bool


@dataclass(frozen=True, slots=True)
class Network:
    """All of it; sizes in pixels."""

    boxes: Sequence[Box]
    curves: Sequence[Curve]
    width: int
    height: int


def lay_out(needs: Sequence[Sequence[int]], critical: Sequence[int]) -> Network:
    """Where everything stands.

    Args:
        needs: For each subgoal the positions of those that it needs; no circles.
        critical: The positions of the critical path, in its order.
    """
    columns = _columns(needs)
    _untangle(columns, needs)
    tallest = max(map(len, columns), default=0)
    boxes = {
        position: Box(
            position,
            _MARGIN + column * _COLUMN,
            _MARGIN + line * _LINE + (tallest - len(nodes)) * _LINE // 2,
        )
        for column, nodes in enumerate(columns)
        for line, position in enumerate(nodes)
    }
    steps = set(pairwise(critical))
    curves = [
        Curve(_curve(boxes[needed], boxes[position]), (needed, position) in steps)
        for position, needed_ones in enumerate(needs)
        for needed in needed_ones
    ]
    return Network(
        boxes=[boxes[position] for position in range(len(needs))],
        # The critical ones last: they are drawn over the others.
        curves=sorted(curves, key=lambda curve: curve.is_critical),
        width=2 * _MARGIN + max(len(columns) * _COLUMN - (_COLUMN - BOX_WIDTH), 0),
        height=2 * _MARGIN + max(tallest * _LINE - (_LINE - BOX_HEIGHT), 0),
    )


def _columns(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    """The positions by how many steps lead to them, in the order of the plan."""
    depth: dict[int, int] = {}
    for node in TopologicalSorter(dict(enumerate(needs))).static_order():
        depth[node] = max((depth[needed] + 1 for needed in needs[node]), default=0)
    columns: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for position in range(len(needs)):
        columns[depth[position]].append(position)
    return columns


def _untangle(columns: Sequence[list[int]], needs: Sequence[Sequence[int]]) -> None:
    """Order each column by where its neighbours stand: fewer edges cross (barycentres)."""
    tied: Mapping[int, list[int]] = {position: list(each) for position, each in enumerate(needs)}
    for position, needed_ones in enumerate(needs):
        for needed in needed_ones:
            tied[needed].append(position)
    for _ in range(_SWEEPS):
        place = {
            position: line - len(nodes) / 2
            for nodes in columns
            for line, position in enumerate(nodes)
        }
        for nodes in columns:
            middle = {
                position: sum(place[each] for each in tied[position]) / len(tied[position])
                if tied[position]
                else place[position]
                for position in nodes
            }
            nodes.sort(key=middle.__getitem__)


def _curve(source: Box, target: Box) -> str:
    x1, y1 = source.x + BOX_WIDTH, source.y + BOX_HEIGHT // 2
    x2, y2 = target.x, target.y + BOX_HEIGHT // 2
    bend = min((x2 - x1) // 2, _COLUMN - BOX_WIDTH)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
