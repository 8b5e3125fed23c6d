"""Failure rates, slow calls, openings that grow, and waits that a provider asks for."""

import pytest

from aurora_circuit_breaker import Backoff, CircuitBreaker, FailureRate, SlowCalls


@pytest.fixture
def make(clock, store_at):
    """A breaker on each kind of store whose failures open nothing by their number."""

    def make(**arguments):
        out_of_the_way = {"failure_threshold": 10**6, "fast_fail_threshold": 10**6}
        return CircuitBreaker(
            clock=clock, store=store_at(clock), random=lambda: 0.5, **out_of_the_way | arguments
        )

    return make


def state(breaker):
    return breaker.get_health_status("x")["state"]


def call(breaker, clock, seconds=0.0, failure=None):
    """One call that takes so long."""
    permit = breaker.admit("x")
    assert permit.granted
    clock.advance(seconds)
    if failure is None:
        permit.success()
    else:
        permit.failure(failure)


def test_a_share_of_failures_opens(make, clock):
    """The call that makes half of at least ten calls failures opens, and none before."""
    breaker = make(failure_rate=FailureRate(share=0.5, minimum_calls=10))
    for number in range(9):
        call(breaker, clock, failure="crash" if number < 4 else None)
    assert state(breaker) == "closed"
    call(breaker, clock, failure="crash")
    assert state(breaker) == "open"


def test_a_success_can_be_the_call_that_makes_enough(make, clock):
    """With too few calls there is no rate; the success that makes them enough opens."""
    breaker = make(failure_rate=FailureRate(share=0.5, minimum_calls=4))
    for failure in ("crash", "crash", None):
        call(breaker, clock, failure=failure)
    assert state(breaker) == "closed"
    call(breaker, clock)
    assert state(breaker) == "open"
    assert breaker.get_health_status("x")["failure_count"] == 2


def test_calls_leave_the_rate_with_the_window(make, clock):
    """Failures of a window ago are no part of the rate any more."""
    breaker = make(failure_rate=FailureRate(share=0.5, minimum_calls=2), failure_window=100)
    call(breaker, clock, failure="crash")
    clock.advance(100)
    call(breaker, clock)
    call(breaker, clock)
    assert state(breaker) == "closed"


def test_the_next_failure_that_opens_by_rate_is_a_medium_risk(make, clock):
    """The risk is medium exactly when one more failure would open by the rate."""
    breaker = make(failure_rate=FailureRate(share=0.5, minimum_calls=4))
    for failure in ("crash", None):
        call(breaker, clock, failure=failure)
    assert breaker.get_health_status("x")["risk_level"] == "low"
    call(breaker, clock)
    assert breaker.get_health_status("x")["risk_level"] == "medium"


def test_slow_calls_are_no_failures_of_the_next(make, clock):
    """A circuit with slow calls alone knows no rate of failures."""
    breaker = make(slow_calls=SlowCalls(longer_than=2, share=0.5, minimum_calls=2))
    call(breaker, clock)
    assert breaker.get_health_status("x")["risk_level"] == "low"


@pytest.mark.parametrize("failure", [None, "crash"])
@pytest.mark.parametrize(("seconds", "opens"), [(2.0, False), (2.1, True)])
def test_a_share_of_slow_calls_opens(make, clock, failure, seconds, opens):
    """Calls that take longer than the limit open the circuit, whatever their result; those that
    take just as long do not."""
    breaker = make(slow_calls=SlowCalls(longer_than=2, share=0.5, minimum_calls=2))
    call(breaker, clock, seconds, failure)
    call(breaker, clock)
    assert state(breaker) == ("open" if opens else "closed")


def test_what_is_told_without_a_permit_is_quick(make):
    """Without a permit nobody knows how long it took: that is no slow call."""
    breaker = make(slow_calls=SlowCalls(longer_than=0.5, share=0.5, minimum_calls=2))
    for _ in range(4):
        breaker.record_success("x")
    for _ in range(4):
        breaker.record_failure("x")
    assert state(breaker) == "closed"


def test_a_slow_success_of_a_probe_opens_again(make, clock):
    """A probe that answers too late finds nothing out that closes the circuit."""
    breaker = make(
        slow_calls=SlowCalls(longer_than=2, share=0.5, minimum_calls=1), failure_threshold=1
    )
    breaker.record_failure("x")
    clock.advance(120)
    call(breaker, clock, 3)
    assert state(breaker) == "open"
    clock.advance(120)
    call(breaker, clock, 1)
    assert state(breaker) == "closed"


def test_openings_grow_up_to_the_maximum_less_the_jitter(make, clock):
    """Each opening after a failed probe is longer by the factor, up to the maximum; of each a
    random part of the jitter is taken off."""
    breaker = make(
        failure_threshold=1,
        reset_timeout=100,
        backoff=Backoff(factor=3, maximum=500, jitter=0.2),
    )
    breaker.record_failure("x")
    for seconds in (90, 270, 450, 450):
        assert breaker.admit("x").retry_after == pytest.approx(seconds)
        clock.advance(seconds)
        breaker.admit("x").failure("crash")
    clock.advance(450)
    breaker.admit("x").success()
    breaker.record_failure("x")
    assert breaker.admit("x").retry_after == pytest.approx(90)


def test_a_slow_probe_grows_the_opening_too(make, clock):
    """An opening that follows a slow success is longer, and jittered, as after a failure."""
    breaker = make(
        failure_threshold=1,
        reset_timeout=100,
        backoff=Backoff(factor=3, maximum=500, jitter=0.2),
        slow_calls=SlowCalls(longer_than=2, share=0.5, minimum_calls=1),
    )
    breaker.record_failure("x")
    clock.advance(90)
    call(breaker, clock, 3)
    assert breaker.admit("x").retry_after == pytest.approx(270)


def tell(breaker, retry_after):
    breaker.record_failure("x", failure_type="rate_limit", retry_after=retry_after)


def settle(breaker, retry_after):
    breaker.admit("x").failure("rate_limit", retry_after=retry_after)


@pytest.mark.parametrize("limit", [tell, settle])
def test_f50_a_retry_after_lets_nobody_in_before(breaker, clock, limit):
    """F50: nobody runs until the provider's wait is over, and it counts against nobody."""
    limit(breaker, 30)
    assert state(breaker) == "limited"
    assert breaker.should_skip("x") == (True, "Rate limited: retry in 30s")
    assert breaker.admit("x").retry_after == 30
    clock.advance(29.5)
    assert breaker.is_open("x")
    assert not breaker.admit("x").granted
    clock.advance(0.5)
    assert breaker.admit("x").granted
    assert breaker.get_health_status("x")["failure_count"] == 0


@pytest.mark.parametrize("limit", [tell, settle])
def test_f50_of_two_waits_the_longer_counts(breaker, limit):
    """F50: a shorter wait does not shorten a longer one."""
    first = breaker.admit("x")
    limit(breaker, 30)
    first.failure("rate_limit", retry_after=10)
    tell(breaker, 10)
    assert breaker.admit("x").retry_after == 30


def test_f50_a_retry_after_overrides_the_timer(breaker, clock):
    """F50: a probe that is told to wait longer than the reset timeout makes everybody wait."""
    breaker.record_failure("x")
    breaker.record_failure("x")
    clock.advance(120)
    breaker.admit("x").failure("rate_limit", retry_after=500)
    assert breaker.should_skip("x") == (True, "Circuit open: 2 failures, retry in 500s")
    clock.advance(500)
    assert breaker.admit("x").granted


def test_f50_a_circuit_that_opens_while_limited_waits_for_both(breaker, clock):
    """F50: failures of those who run already open the circuit for the rest of the wait at least."""
    running = [breaker.admit("x") for _ in range(2)]
    tell(breaker, 500)
    for permit in running:
        permit.failure("crash")
    assert breaker.admit("x").retry_after == 500
