"""Who works in a worktree of its own: pure, over the graph of a plan and its limits."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

from aurora_soar.graph import ancestors

__all__ = ["Isolation", "Reason", "isolated", "overlapping"]

Isolation: TypeAlias = Literal["worktree", "none"]
"""In a git worktree of its own, or in the folder where we stand."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a subgoal works in a worktree.

    Attributes:
        kind: It is asked for; it may write, and some that may can be at work at the same time; or
            it builds on what is in another worktree.
        others: The positions of those that it can meet or builds on, in order.
    """

    kind: Literal["asked for", "overlap", "builds on"]
    others: tuple[int, ...] = ()


def overlapping(
    needs: Sequence[Iterable[int]],
    writers: Collection[int],
    *,
    max_concurrent: int,
    shares: Sequence[Collection[Hashable]] = (),
    limits: Mapping[Hashable, int] | None = None,
) -> dict[int, tuple[int, ...]]:
    """The subgoals that may write while others that may are at work, each with those others.

    Args:
        needs: For each subgoal the positions that it waits for.
        writers: Positions of those that may write.
        max_concurrent: How many run at once.
        shares: For each subgoal what it takes a place of, such as its tool and its agent.
        limits: How many places there are of each; of others there is no end.
    """
    if max_concurrent < 2:
        return {}
    before = ancestors(needs)
    # Whoever holds the only place of something keeps out everybody who needs one.
    alone = {key for key, places in (limits or {}).items() if places < 2}
    takes = [set(each) & alone for each in shares] or [set[Hashable]() for _ in needs]
    met: dict[int, list[int]] = {}
    for one, other in combinations(sorted(writers), 2):
        apart = one in before[other] or other in before[one] or takes[one] & takes[other]
        if not apart:
            met.setdefault(one, []).append(other)
            met.setdefault(other, []).append(one)
    return {position: tuple(sorted(others)) for position, others in sorted(met.items())}


def isolated(
    needs: Sequence[Iterable[int]],
    wishes: Sequence[Isolation | None],
    writers: Collection[int],
    *,
    overlap: Mapping[int, tuple[int, ...]],
) -> dict[int, Reason]:
    """The positions of the subgoals that work in worktrees, in order, each with its reason.

    Those are the ones that say so; where writers can overlap, the writers that say nothing; and
    whoever builds on one of these and says nothing, since the changes are nowhere else.

    Args:
        needs: For each subgoal the positions that it waits for.
        wishes: What each says itself; None: nothing.
        writers: Positions of those that may write.
        overlap: Which of them can meet, see `overlapping`.
    """
    chosen: dict[int, Reason] = {}
    for position, wish in enumerate(wishes):
        if wish == "worktree":
            chosen[position] = Reason("asked for")
        elif wish is None and overlap and position in writers:
            chosen[position] = Reason("overlap", overlap.get(position, ()))
    before = ancestors(needs)
    builders = {
        position: Reason("builds on", tuple(sorted(chosen.keys() & before[position])))
        for position, wish in enumerate(wishes)
        if wish is None and position not in chosen and chosen.keys() & before[position]
    }
    return dict(sorted({**chosen, **builders}.items()))
