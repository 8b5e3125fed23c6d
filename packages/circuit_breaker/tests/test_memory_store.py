"""What the memory store holds, and for how long."""

import tracemalloc

import pytest

from aurora_circuit_breaker import CircuitBreaker


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock=clock)


def known(breaker):
    return set(breaker.store)


def test_f51_healthy_agents_are_not_held(breaker):
    """F51: asking, admitting, succeeding and resetting leave nothing behind for any id."""
    for agent_id in map(str, range(100)):
        breaker.should_skip(agent_id)
        breaker.record_success(agent_id)
        breaker.get_health_status(agent_id)
        breaker.record_failure(agent_id, failure_type="check_failed")
        breaker.admit(agent_id).success()
        with breaker.guard(agent_id):
            pass
        breaker.record_failure(agent_id)
        breaker.reset(agent_id)
    assert known(breaker) == set()


def test_f51_a_healthy_agent_costs_no_memory():
    """F51: 10,000 guarded healthy ids allocate nothing that stays."""
    breaker = CircuitBreaker()
    ids = [f"agent {number}" for number in range(10_000)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for agent_id in ids:
            with breaker.guard(agent_id):
                pass
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 5_000  # Not one byte per id; the tracing itself takes some.


def test_f51_idle_agents_are_reclaimed(breaker, clock):
    """F51: agents that were left alone for over an hour make room when room is needed."""
    for number in range(500):
        breaker.record_failure(f"failed {number}")
        breaker.record_failure(f"opened {number}")
        breaker.record_failure(f"opened {number}")
    clock.advance(3600 + 121)
    for number in range(1000):
        breaker.record_failure(f"new {number}")
    assert known(breaker) == {f"new {number}" for number in range(1000)}


def test_agents_in_use_are_not_reclaimed(breaker, clock):
    """However many agents there are, none is forgotten within the hour."""
    breaker.record_failure("x")
    breaker.record_failure("x")
    clock.advance(3600)
    for number in range(5000):
        breaker.record_failure(str(number))
    assert len(known(breaker)) == 5001
    assert breaker.get_health_status("x")["state"] == "half_open"


def test_a_long_window_is_remembered_to_its_end(clock):
    """A failure window of more than an hour loses no failure to reclaiming."""
    breaker = CircuitBreaker(failure_window=10_000.0, clock=clock)
    breaker.record_failure("x")
    clock.advance(10_000)
    for number in range(5000):
        breaker.record_failure(str(number))
    breaker.record_failure("x")
    assert breaker.is_open("x")


def test_f49_a_closed_circuit_outlives_reclaiming(breaker, clock):
    """F49: for an hour after a closing, permits from before it stay stale among many agents."""
    early = breaker.admit("x")
    breaker.record_failure("x")
    breaker.record_failure("x")
    breaker.record_success("x")
    clock.advance(3600)
    for number in range(5000):
        breaker.record_failure(str(number))
    early.failure()
    assert breaker.get_health_status("x")["failure_count"] == 0


@pytest.mark.parametrize("lives", [1, 5])
def test_generations_outlive_what_is_reclaimed(breaker, clock, lives):
    """A probe of an earlier life of the circuit settles nothing in a later one."""

    def probe():
        breaker.record_failure("x")
        breaker.record_failure("x")
        clock.advance(120)
        return breaker.admit("x")

    old = probe()
    breaker.record_success("x")
    for life in range(lives):
        clock.advance(4000)
        for number in range(2000):
            breaker.record_failure(f"{life} {number}")
    assert "x" not in known(breaker)
    probe()
    old.success()
    assert breaker.get_health_status("x")["state"] == "half_open"
    assert breaker.is_open("x")


def test_a_change_that_lost_a_race_is_made_again():
    """A failure that comes between reading and writing is not lost."""
    nested = [True]

    def now():
        # The clock is read between the two: here another thread is faster.
        if nested:
            nested.pop()
            breaker.record_failure("x")
        return 0.0

    breaker = CircuitBreaker(failure_threshold=10, fast_fail_threshold=10, clock=now)
    breaker.record_failure("x")
    assert breaker.get_health_status("x")["failure_count"] == 2
