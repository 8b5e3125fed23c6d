"""Who works in a worktree of its own: pure, over the graph of a plan and its limits."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from aurora_soar.graph import ancestors

__all__ = ["Isolation", "can_overlap", "isolated"]

Isolation: TypeAlias = Literal["worktree", "none"]
"""In a git worktree of its own, or in the folder where we stand."""


def can_overlap(
    needs: Sequence[Iterable[int]],
    writers: Collection[int],
    *,
    max_concurrent: int,
    shares: Sequence[Collection[Hashable]] = (),
    limits: Mapping[Hashable, int] | None = None,
) -> bool:
    """Whether two subgoals that may write can run at the same time.

    Args:
        needs: For each subgoal the positions that it waits for.
        writers: Positions of those that may write.
        max_concurrent: How many run at once.
        shares: For each subgoal what it takes a place of, such as its tool and its agent.
        limits: How many places there are of each; of others there is no end.
    """
    if max_concurrent < 2:
        return False
    before = ancestors(needs)
    # Whoever holds the only place of something keeps out everybody who needs one.
    alone = {key for key, places in (limits or {}).items() if places < 2}
    takes = [set(each) & alone for each in shares] or [set[Hashable]() for _ in needs]
    ordered = sorted(writers)
    return any(
        one not in before[other] and other not in before[one] and not takes[one] & takes[other]
        for place, one in enumerate(ordered)
        for other in ordered[place + 1 :]
    )


def isolated(
    needs: Sequence[Iterable[int]],
    wishes: Sequence[Isolation | None],
    writers: Collection[int],
    *,
    overlap: bool,
) -> set[int]:
    """The positions of the subgoals that work in worktrees.

    Those are the ones that say so; where writers can overlap, the writers that say nothing; and
    whoever builds on one of these and says nothing, since the changes are nowhere else.

    Args:
        needs: For each subgoal the positions that it waits for.
        wishes: What each says itself; None: nothing.
        writers: Positions of those that may write.
        overlap: Whether two of them can run at the same time, see `can_overlap`.
    """
    chosen = {
        position
        for position, wish in enumerate(wishes)
        if wish == "worktree" or (wish is None and overlap and position in writers)
    }
    before = ancestors(needs)
    return chosen | {
        position
        for position, wish in enumerate(wishes)
        if wish is None and not chosen.isdisjoint(before[position])
    }
