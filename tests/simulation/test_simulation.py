"""The drawn runs of `make test`; `make soak` runs many more of them."""

import pytest

from .drawing import draw, size_of
from .simulate import simulate
from .world import History, play

RUNS = 1500
"""Some ten seconds on one core."""

PARTS = 10
"""So that the runs of one test are few seconds, and several processors share them."""


def test_the_drawn_runs_are_as_many_as_is_said() -> None:
    """The runs are a thousand at least, of one subgoal to a hundred, with 20,000 agents in all."""
    sizes = [size_of(seed) for seed in range(RUNS)]
    assert RUNS >= 1000
    assert sum(sizes) >= 20_000
    assert min(sizes) == 1
    assert max(sizes) > 90
    # Log-uniform: a half of them is below the root of the largest.
    assert 0.4 < sum(size <= 10 for size in sizes) / RUNS < 0.6


@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_is_kept_in_drawn_runs(part: int) -> None:
    """F25, F38-F41, F44, F45, F47, F48, F50, F73: whatever plan, agents, faults, limits and
    schedule are drawn, all that is promised of a run holds."""
    failed = [simulate(seed) for seed in range(part, RUNS, PARTS)]
    assert not any(failed), "\n".join(line for lines in failed for line in lines)


def test_a_seed_is_one_run() -> None:
    """The same seed gives the same run to the last entry, whatever ran before it."""

    def told(history: History) -> list[tuple[float, str, str]]:
        return [(each.at, each.what, str(each.attempt)) for each in history.entries]

    seeds = [seed for seed in range(200) if size_of(seed) > 30]
    first = [told(play(draw(seed))) for seed in seeds]
    assert sum(map(len, first)) > 1000
    again = [told(play(draw(seed))) for seed in reversed(seeds)]
    assert again[::-1] == first
