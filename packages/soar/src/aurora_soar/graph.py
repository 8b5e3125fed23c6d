"""Which subgoal waits for which: references resolved, circles and long chains found; pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

__all__ = ["ancestors", "critical_path", "find_cycle", "heights", "resolve_references"]

_Node = TypeVar("_Node", bound=Hashable)


def find_cycle(needs: Mapping[_Node, Iterable[_Node]]) -> list[_Node] | None:
    """A circle of nodes, each of which needs the next, first and last the same; None if none."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        # graphlib lists them so that each is needed by the next.
        circle: list[_Node] = error.args[1]
        return circle[::-1]
    return None


def resolve_references(
    names: Sequence[Sequence[Hashable]], needs: Sequence[Iterable[Hashable]]
) -> list[tuple[int, ...]]:
    """Turn references to nodes into positions.

    Args:
        names: For each node everything that it may be called by; the first is for messages.
        needs: For each node the names of the nodes that it needs.

    Returns:
        For each node the positions that it needs, in order, each once. A name that several nodes
        share means all of them.

    Raises:
        ValueError: A name that no node has, a node that needs itself, or a circle.
    """
    known: dict[Hashable, list[int]] = {}
    for position, own in enumerate(names):
        for name in dict.fromkeys(own):
            known.setdefault(name, []).append(position)
    resolved = []
    for position, wanted in enumerate(needs):
        found: dict[int, None] = {}
        for name in wanted:
            if name not in known:
                raise ValueError(
                    f'subgoal "{names[position][0]}" depends on "{name}", which is not there'
                )
            found.update(dict.fromkeys(known[name]))
        resolved.append(tuple(found))
    circle = find_cycle(dict(enumerate(resolved)))
    if circle:
        named = " -> ".join(str(names[position][0]) for position in circle)
        raise ValueError(f"subgoals form a cycle: {named}")
    return resolved


def ancestors(needs: Sequence[Iterable[int]]) -> list[set[int]]:
    """For each node all that have to be done before it, near and far."""
    found: list[set[int]] = [set() for _ in needs]
    for node in _order(needs):
        for needed in needs[node]:
            found[node] |= {needed} | found[needed]
    return found


def heights(needs: Sequence[Iterable[int]]) -> list[int]:
    """For each node how many wait for it, one for the other, at the longest; itself counts too."""
    found = [1] * len(needs)
    for node in reversed(_order(needs)):
        for needed in needs[node]:
            found[needed] = max(found[needed], found[node] + 1)
    return found


def critical_path(needs: Sequence[Iterable[int]], seconds: Sequence[float]) -> list[int]:
    """The chain of nodes, each of which needs the one before, that takes longest together."""
    total = list(seconds)
    before: dict[int, int] = {}
    for node in _order(needs):
        slowest = max(needs[node], key=total.__getitem__, default=None)
        if slowest is not None:
            before[node] = slowest
            total[node] += total[slowest]
    path: list[int] = []
    last = max(range(len(total)), key=total.__getitem__, default=None)
    while last is not None:
        path.append(last)
        last = before.get(last)
    return path[::-1]


def _order(needs: Sequence[Iterable[int]]) -> list[int]:
    """The nodes, each after those that it needs."""
    return list(TopologicalSorter(dict(enumerate(needs))).static_order())
