"""Who works in a worktree."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.isolation import Reason, isolated, overlapping

# 0 -> 1 -> 3, 0 -> 2 -> 3
DIAMOND = [(), (0,), (0,), (1, 2)]


def test_two_writers_overlap_where_neither_waits_for_the_other() -> None:
    """The two sides of a diamond can run together, a chain cannot, however far apart its ends."""
    assert overlapping(DIAMOND, {0, 1, 2}, max_concurrent=2) == {1: (2,), 2: (1,)}
    assert overlapping(DIAMOND, {0, 1}, max_concurrent=9) == {}
    assert overlapping(DIAMOND, {0, 3}, max_concurrent=9) == {}
    assert overlapping(DIAMOND, {1}, max_concurrent=9) == {}


def test_a_limit_of_one_keeps_writers_apart() -> None:
    """One at once in all, or one place of what both take, is no overlap; two places are."""
    shares = [["a"], ["a", "tool"], ["b", "tool"], []]
    assert not overlapping(DIAMOND, {1, 2}, max_concurrent=1)
    for limits, overlap in (({"tool": 1}, False), ({"tool": 2}, True), ({"a": 1, "b": 1}, True)):
        found = overlapping(DIAMOND, {1, 2}, max_concurrent=5, shares=shares, limits=limits)
        assert bool(found) is overlap


def test_without_overlap_nobody_is_isolated_unasked() -> None:
    """Writers that never meet work where we stand; one that asks for a worktree gets it."""
    assert isolated(DIAMOND, [None] * 4, {0, 1}, overlap={}) == {}
    assert isolated(DIAMOND, [None, None, None, "worktree"], {0}, overlap={}) == {
        3: Reason("asked for")
    }


def test_whoever_builds_on_an_isolated_subgoal_is_isolated_too() -> None:
    """With overlap the writers and all that wait for them get worktrees, but who says `none`."""
    met = {1: (2,), 2: (1,)}
    sides = {1: Reason("overlap", (2,)), 2: Reason("overlap", (1,))}
    found = isolated(DIAMOND, [None] * 4, {1, 2}, overlap=met)
    assert found == {**sides, 3: Reason("builds on", (1, 2))}
    found = isolated(DIAMOND, [None, "none", None, None], {1, 2}, overlap=met)
    assert found == {2: sides[2], 3: Reason("builds on", (2,))}
    assert isolated(DIAMOND, [None, None, None, "none"], {1, 2}, overlap=met) == sides
    asked = isolated(DIAMOND, [None, None, None, "worktree"], {1, 2}, overlap=met)
    assert asked == {**sides, 3: Reason("asked for")}


def test_where_some_meet_all_that_may_write_are_isolated() -> None:
    """A writer that meets nobody gets a worktree too: what others build on has to be in one."""
    found = isolated(DIAMOND, [None] * 4, {0, 1, 2}, overlap={1: (2,), 2: (1,)})
    assert found[0] == Reason("overlap")
    found = isolated(DIAMOND, [None] * 4, {1, 2, 3}, overlap={1: (2,), 2: (1,)})
    assert found[3] == Reason("overlap")


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    size = draw(st.integers(1, 7))
    return [tuple(draw(st.sets(st.integers(0, node - 1)))) if node else () for node in range(size)]


@given(graphs(), st.sets(st.integers(0, 6)), st.integers(2, 4))
def test_overlap_is_what_some_order_of_starts_allows(
    needs: list[tuple[int, ...]], some: set[int], limit: int
) -> None:
    """Two writers overlap exactly if some set of done subgoals makes both of them ready."""
    writers = {each for each in some if each < len(needs)}

    def ready(done: set[int], node: int) -> bool:
        return node not in done and done.issuperset(needs[node])

    nodes = range(len(needs))
    states = [set(done) for size in range(len(needs) + 1) for done in combinations(nodes, size)]
    reachable = [done for done in states if all(done.issuperset(needs[node]) for node in done)]
    expected = any(
        ready(done, one) and ready(done, other)
        for one, other in combinations(sorted(writers), 2)
        for done in reachable
    )
    assert bool(overlapping(needs, writers, max_concurrent=limit)) is expected
