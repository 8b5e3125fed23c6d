"""What listeners are told, and what the log says."""

import pytest

from aurora_circuit_breaker import (
    CircuitBreaker,
    CircuitClosed,
    CircuitForced,
    CircuitLimited,
    CircuitOpened,
    FailureCounted,
    ProbeStarted,
)


@pytest.fixture
def told():
    """What the listener was told."""
    return []


@pytest.fixture
def breaker(clock, store_at, told):
    return CircuitBreaker(clock=clock, store=store_at(clock), on_change=told.append)


def kinds(told):
    """The types since the last look."""
    seen = [type(event) for event in told]
    told.clear()
    return seen


def test_the_life_of_a_circuit(breaker, clock, told):
    """Each thing that happens to a circuit is told once, with its type."""
    breaker.record_failure("x")
    assert kinds(told) == [FailureCounted]
    breaker.record_failure("x")
    assert kinds(told) == [CircuitOpened]
    breaker.record_failure("x")
    assert kinds(told) == [FailureCounted]
    clock.advance(120)
    probe = breaker.admit("x")
    assert kinds(told) == [ProbeStarted]
    probe.failure("crash")
    assert kinds(told) == [CircuitOpened]
    clock.advance(120)
    breaker.admit("x").success()
    assert kinds(told) == [ProbeStarted, CircuitClosed]
    breaker.record_failure("x", failure_type="rate_limit", retry_after=5)
    assert kinds(told) == [CircuitLimited]
    breaker.force_open("x")
    assert kinds(told) == [CircuitForced]
    breaker.reset("x")
    assert kinds(told) == [CircuitClosed]


def test_what_changes_nothing_is_not_told(breaker, clock, told):
    """Asking, being refused, a success while closed and a failed check are nobody's news."""
    breaker.admit("x").success()
    breaker.record_failure("x", failure_type="check_failed")
    breaker.should_skip("x")
    breaker.reset("x")
    assert kinds(told) == []
    breaker.record_failure("x")
    breaker.record_failure("x")
    kinds(told)
    assert not breaker.admit("x").granted
    clock.advance(120)
    breaker.admit("x").release()
    assert kinds(told) == [ProbeStarted]


def test_an_event_tells_whose_and_how_it_is_now(breaker, clock, told):
    """An event names the agent, with its health right after the change."""
    breaker.record_failure("x", failure_type="auth")
    breaker.record_failure("x", failure_type="auth")
    clock.advance(120)
    breaker.admit("x")
    [counted, opened, probing] = told
    assert {event.agent_id for event in told} == {"x"}
    assert (counted.health["failure_count"], counted.health["risk_level"]) == (1, "medium")
    assert opened.health["time_until_next_probe"] == 120
    assert probing.health["state"] == "half_open"


def test_a_listener_that_is_taken_away_hears_no_more(breaker, told):
    """The function that adding returns takes away that listener and no other."""
    more = []
    stop = breaker.on_change(more.append)
    breaker.record_failure("x")
    stop()
    breaker.record_failure("x")
    assert kinds(more) == [FailureCounted]
    assert kinds(told) == [FailureCounted, CircuitOpened]


def test_a_listener_may_ask_and_tell(breaker, told):
    """No lock is held while a listener runs: it may use the breaker."""
    breaker.on_change(lambda event: breaker.is_open("x") and breaker.reset("x"))
    breaker.record_failure("x")
    breaker.record_failure("x")
    assert not breaker.is_open("x")
    assert kinds(told) == [FailureCounted, CircuitOpened, CircuitClosed]


def test_a_listener_that_fails_is_logged_once_and_ignored(breaker, caplog):
    """What a listener raises is logged the first time, and hurts neither caller nor listeners."""

    def fail(event):
        raise RuntimeError("no")

    heard = []
    breaker.on_change(fail)
    breaker.on_change(heard.append)
    breaker.record_failure("x")
    breaker.record_failure("x")
    assert len(heard) == 2
    assert [r.getMessage() for r in caplog.records if r.exc_info] == [
        "A listener failed; its errors are ignored"
    ]


@pytest.mark.parametrize("agent_id", ["x", "adhoc-x"])
def test_each_opening_is_one_line_in_the_log(clock, caplog, agent_id):
    """An opening is logged with kind, name, failures and seconds, whether anybody listens or not,
    and what is no opening is not logged."""
    breaker = CircuitBreaker(clock=clock, failure_threshold=3, adhoc_failure_threshold=3)
    for _ in range(4):
        breaker.record_failure(agent_id, fast_fail=False)
    kind = "adhoc agent" if agent_id != "x" else "agent"
    line = f"Circuit opened for {kind} {agent_id!r} (failures: 3), retry in 120s"
    assert [record.getMessage() for record in caplog.records] == [line]


def test_in_shadow_everything_is_told_and_nobody_blocked(clock, told):
    """Shadow mode lets everybody in, says why it would not have, and tells as always."""
    breaker = CircuitBreaker(clock=clock, shadow=True, on_change=told.append)
    breaker.record_failure("x")
    breaker.record_failure("x")
    permit = breaker.admit("x")
    assert permit.granted
    assert permit.retry_after == 0
    assert permit.reason == "Circuit open: 2 failures, retry in 120s"
    assert breaker.should_skip("x") == (False, "")
    assert kinds(told) == [FailureCounted, CircuitOpened]
    assert breaker.get_health_status("x")["can_execute"]
    with breaker.guard("x"):
        pass


@pytest.mark.parametrize("to_open", [True, False])
def test_a_forced_circuit_stays_whatever_is_told(breaker, clock, to_open):
    """A forced circuit is what it was forced to be until it is reset."""
    force = breaker.force_open if to_open else breaker.force_closed
    force("x")
    force("x")
    for _ in range(3):
        breaker.record_failure("x")
    breaker.record_success("x")
    breaker.record_failure("x", failure_type="rate_limit", retry_after=9)
    clock.advance(1000)
    assert breaker.is_open("x") == to_open
    permit = breaker.admit("x")
    assert permit.granted != to_open
    assert permit.reason == ("Circuit forced open" if to_open else "")
    assert permit.retry_after == (float("inf") if to_open else 0)
    breaker.reset("x")
    assert breaker.admit("x").granted


def test_running_probes_are_counted_in_the_reason(clock):
    """With several slots the reason says how many probes run."""
    breaker = CircuitBreaker(clock=clock, probes=2)
    breaker.record_failure("x")
    breaker.record_failure("x")
    clock.advance(120)
    assert all(breaker.admit("x").granted for _ in range(2))
    assert breaker.admit("x").reason == "Circuit half open: 2 failures, 2 probes are running"
