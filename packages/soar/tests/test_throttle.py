from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.admission.throttle import FIRST_PARK, LONGEST_PARK, Throttle


def test_a_limit_halves_and_successes_grow_back_to_the_ceiling() -> None:
    """What may run is halved once, and grows by about one for each round of successes."""
    cut = Throttle.open(8).limited(now=10.0, started=0.0, running=8, retry_after=None)
    assert (cut.allowed, cut.parked_until) == (4.0, 10.0 + FIRST_PARK)
    grown = cut.resumed()
    for _ in range(4):
        grown = grown.succeeded()
    assert 4.9 < grown.allowed < 5.1
    for _ in range(1000):
        grown = grown.succeeded()
    assert (grown.allowed, grown.streak) == (8.0, 0)


def test_those_that_meet_a_limit_together_count_once() -> None:
    """An attempt from before the last cut cuts nothing more; the longest wait stands."""
    first = Throttle.open(8).limited(now=10.0, started=0.0, running=8, retry_after=20.0)
    second = first.limited(now=11.0, started=5.0, running=7, retry_after=60.0)
    assert (second.allowed, second.streak, second.parked_until) == (4.0, 1, 71.0)
    third = second.limited(now=12.0, started=5.0, running=6, retry_after=None)
    assert third == second


def test_waits_without_a_time_double_up_to_a_bound() -> None:
    """Each further limit in a row parks twice as long, never longer than the bound."""
    throttle, now, waits = Throttle.open(4), 0.0, []
    for _ in range(8):
        throttle = throttle.resumed().limited(now=now, started=now, running=1, retry_after=None)
        assert throttle.parked_until is not None
        waits.append(throttle.parked_until - now)
        now = throttle.parked_until
    assert waits[:5] == [15.0, 30.0, 60.0, 120.0, 240.0]
    assert waits[5:] == [LONGEST_PARK] * 3


def test_nothing_starts_while_parked_and_one_may_always_otherwise() -> None:
    """A parked tool starts nothing; a resumed one at least one, however often it was cut."""
    throttle = Throttle.open(1).limited(now=0.0, started=0.0, running=1, retry_after=5.0)
    assert not throttle.may_start(0)
    assert throttle.resumed().may_start(0)
    assert not throttle.resumed().may_start(1)


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.tuples(st.floats(0, 100), st.integers(1, 20), st.none() | st.floats(0, 1000)),
        )
    ),
    st.integers(1, 20),
)
def test_what_is_allowed_stays_between_one_and_the_ceiling(
    told: list[tuple[float, int, float | None] | None], ceiling: int
) -> None:
    """Whatever is told in whatever order, at least one and at most the ceiling may run."""
    throttle, now = Throttle.open(ceiling), 0.0
    for each in told:
        if each is None:
            throttle = throttle.succeeded()
        else:
            ago, running, retry_after = each
            now += 1
            throttle = throttle.limited(
                now=now, started=now - ago, running=running, retry_after=retry_after
            )
            assert throttle.parked_until is not None
            assert throttle.parked_until >= now or retry_after is None
        assert 1.0 <= throttle.allowed <= ceiling
        assert replace(throttle, parked_until=None).may_start(0)
