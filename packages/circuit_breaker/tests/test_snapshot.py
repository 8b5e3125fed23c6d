"""What is known of all agents, as data for another process with another clock."""

import json

import pytest

from aurora_circuit_breaker import CircuitBreaker


@pytest.fixture
def restored(breaker, clock):
    """Carries what the breaker knows into a breaker of a later process."""

    def restore(**elapsed):
        saved = json.loads(json.dumps(breaker.snapshot()))
        later = CircuitBreaker(clock=lambda: clock.now - 777)
        later.restore(saved, **elapsed)
        return later

    return restore


def trip(breaker, agent_id="x"):
    breaker.record_failure(agent_id)
    breaker.record_failure(agent_id)


def test_an_open_circuit_goes_on_waiting(breaker, clock, restored):
    """What is left of an opening is what was left, less the time in between."""
    trip(breaker)
    clock.advance(20)
    assert restored().admit("x").retry_after == pytest.approx(100)
    later = restored(elapsed=30)
    assert later.admit("x").retry_after == pytest.approx(70)
    assert later.get_health_status("x")["time_since_last_failure"] == pytest.approx(50)


def test_failures_count_on(breaker, clock, restored):
    """A failure before and one after open together, if they lie in one window."""
    breaker.record_failure("x")
    clock.advance(299)
    later = restored()
    later.record_failure("x")
    assert later.is_open("x")
    later = restored(elapsed=2)
    later.record_failure("x")
    assert not later.is_open("x")


def test_a_soft_failure_stays_soft(breaker, restored):
    """An adhoc agent's soft failure keeps it from failing fast afterwards too."""
    breaker.record_failure("adhoc", failure_type="timeout")
    later = restored()
    later.record_failure("adhoc", failure_type="crash")
    assert not later.is_open("adhoc")


def test_a_soft_failure_of_long_ago_stays_long_ago(breaker, clock, restored):
    """A soft failure before the fast-fail window does not keep hard ones from failing fast."""
    breaker.record_failure("adhoc", failure_type="timeout")
    clock.advance(100)
    breaker.record_failure("adhoc", failure_type="crash")
    later = restored()
    later.record_failure("adhoc", failure_type="crash")
    assert later.is_open("adhoc")


def test_marks_limits_and_forces_are_kept(breaker, restored):
    """Adhoc marks, a provider's wait and forced circuits are all taken over."""
    breaker.mark_as_adhoc("marked")
    breaker.record_failure("limited", failure_type="rate_limit", retry_after=30)
    breaker.force_open("shut")
    breaker.force_closed("free")
    later = restored()
    for _ in range(3):
        later.record_failure("marked", fast_fail=False)
    assert not later.is_open("marked")
    assert later.admit("limited").retry_after == pytest.approx(30)
    assert later.get_health_status("shut")["state"] == "forced_open"
    assert later.get_health_status("free")["state"] == "forced_closed"


def test_slots_are_not_kept(breaker, clock, restored):
    """The probe of another process holds nothing here."""
    trip(breaker)
    clock.advance(120)
    assert breaker.admit("x").granted
    later = restored()
    assert later.admit("x").granted
    assert not later.admit("x").granted


def test_permits_from_before_change_nothing(breaker, clock):
    """F49: what was admitted before the restoring is stale after it."""
    permit = breaker.admit("x")
    saved = breaker.snapshot()
    trip(breaker, "y")
    trip(breaker)
    breaker.restore({**saved, "agents": {"x": breaker.snapshot()["agents"]["x"]}})
    permit.success()
    assert breaker.is_open("x")
    assert breaker.is_open("y")


@pytest.mark.parametrize("saved", [{}, {"version": 2, "agents": {}, "adhoc": []}])
def test_another_version_is_refused(breaker, saved):
    """What no version of this wrote, or a later one, is refused with the version that is known."""
    with pytest.raises(ValueError, match=r"^no snapshot of version 1$"):
        breaker.restore(saved)


@pytest.mark.parametrize(
    "saved",
    [
        {"version": 1},
        {"version": 1, "agents": {"x": {"kind": "?"}}, "adhoc": []},
        {"version": 1, "agents": [], "adhoc": []},
    ],
)
def test_a_damaged_one_is_refused_whole(breaker, saved):
    """Nothing is taken over of what cannot be read, and the error says so."""
    with pytest.raises(ValueError, match=r"^not a snapshot: "):
        breaker.restore(saved)
    assert list(breaker.store) == []
