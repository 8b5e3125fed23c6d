"""How the end of a run is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar import ToolParked, ToolResumed
from aurora_soar.views import Row
from aurora_soar.views.estimate import Forecast, Range, Survival, remaining, slow_rows

if TYPE_CHECKING:
    Run = Any
    RunOf = Any

SECONDS = st.lists(st.floats(0.1, 1e4), max_size=20)


def test_the_curve_is_that_of_kaplan_and_meier() -> None:
    """The remission times of Freireich (1963), 6-MP group: the shares that every textbook gives."""
    ended = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = Survival(ended, censored)
    shares = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for time, share in shares.items():
        assert curve.share_beyond(time) == pytest.approx(share, abs=5e-4)
    assert curve.share_beyond(5.9) == 1
    assert curve.quantile(0.5) == 23
    assert curve.quantile(0.6) is None


@given(SECONDS, SECONDS, st.floats(0, 1e4))
def test_quantiles_grow_and_lie_ahead(
    ended: list[float], running: list[float], elapsed: float
) -> None:
    """A larger part takes no less time, and what has been waited for already is no answer."""
    curve = Survival(ended, running)
    found = [curve.quantile(part, elapsed) for part in (0.1, 0.5, 0.9)]
    known = [each for each in found if each is not None]
    assert known == sorted(known)
    assert found[: len(known)] == known
    assert all(each > elapsed for each in known)


def finished(run_of: RunOf, durations: list[float], more: list[Row], limit: int = 4) -> Run:
    """A run in which as many subgoals are done as there are durations, and some rows wait."""
    rows = [Row(f"d{number}", "x") for number in range(len(durations))]
    run = run_of(*rows, *more, limit=limit)
    began = run.now
    for position, seconds in enumerate(durations):
        run.now = began
        run.start(position)
        run.now = began + seconds
        run.ok(position)
    return run


def test_no_guess_below_five_durations(run_of: RunOf) -> None:
    """Four durations are none; it is said how many there are."""
    run = finished(run_of, [10, 10, 10, 10], [Row("w", "x")])
    assert remaining(run.board, run.now) is None
    said = Forecast().said(run.board, run.now)
    assert said == "no finish estimate yet (4 of 5 durations)"


def test_what_waits_is_scheduled_under_the_limit(run_of: RunOf) -> None:
    """Six waiting subgoals, two at once, take three times one; a chain takes its length."""
    side_by_side = [Row(f"w{number}", "x") for number in range(6)]
    run = finished(run_of, [10] * 5, side_by_side, limit=2)
    assert remaining(run.board, run.now) == Range(30, 30)
    chain = [Row("w0", "x"), Row("w1", "x", ("w0",)), Row("w2", "x", ("w1",)), Row("w3", "x")]
    run = finished(run_of, [10] * 5, chain)
    assert remaining(run.board, run.now) == Range(30, 30)


def test_running_ones_are_censored(run_of: RunOf) -> None:
    """What runs is expected to end like those that lasted as long; its time counts."""
    run = finished(run_of, [10, 10, 20, 20, 20], [Row("w", "x")])
    run.start(5)
    assert remaining(run.board, run.now) == Range(10, 20)
    run.now += 15
    assert remaining(run.board, run.now) == Range(5, 5)


def test_nobody_knows_how_long_it_takes_that_outlasts_all(run_of: RunOf) -> None:
    """With one that has run longer than any other took, the guess has no upper end."""
    run = finished(run_of, [10] * 5, [Row("w", "x"), Row("v", "x")])
    run.start(5)
    run.now += 500
    guess = remaining(run.board, run.now)
    assert guess is not None
    assert guess.high is None
    assert Forecast().said(run.board, run.now) == "done in about 0:10 or more"


def test_a_range_with_about_frozen_while_parked(run_of: RunOf) -> None:
    """The guess is a range in round numbers; while a tool is parked it stays what it was."""
    run = finished(run_of, [61, 61, 122, 122, 122], [Row("w", "x"), Row("v", "x", ("w",))])
    forecast = Forecast()
    assert forecast.said(run.board, run.now) == "done in about 2:00 to 4:00"
    run.happens(ToolParked("claude", 600, "429"))
    run.start(5)
    run.now += 60
    assert forecast.said(run.board, run.now) == "done in about 2:00 to 4:00 (frozen)"
    run.happens(ToolResumed("claude"))
    assert forecast.said(run.board, run.now) == "done in about 1:00 to 3:00"


def test_slow_is_who_takes_twice_as_long_as_nearly_all(run_of: RunOf) -> None:
    """Slow is beyond twice of what nine of ten took, and never below half a minute."""
    run = finished(run_of, [20] * 5, [Row("w", "x")])
    run.start(5)
    run.now += 40
    assert slow_rows(run.board, run.now) == set()
    run.now += 1
    assert slow_rows(run.board, run.now) == {"w"}
    run = finished(run_of, [0.1] * 5, [Row("w", "x")])
    run.start(5)
    run.now += 29
    assert slow_rows(run.board, run.now) == set()
