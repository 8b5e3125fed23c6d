"""What get_health_status and get_failure_velocity say."""

import json

import pytest

from aurora_circuit_breaker import CircuitBreaker, HealthStatus


def test_a_healthy_agent(breaker):
    """An unknown agent is closed, at low risk, and may run."""
    assert breaker.get_health_status("x") == {
        "agent_id": "x",
        "state": "closed",
        "failure_count": 0,
        "recent_failures": 0,
        "failure_velocity": 0.0,
        "risk_level": "low",
        "last_failure_time": None,
        "time_since_last_failure": None,
        "failure_types": [],
        "can_execute": True,
        "next_probe_time": None,
        "time_until_next_probe": None,
    }
    assert set(HealthStatus.__required_keys__) == set(breaker.get_health_status("x"))


def test_an_open_circuit(breaker, clock):
    """An open circuit shows its failures with their types, times and pace."""
    breaker.record_failure("x", failure_type="crash")
    clock.advance(4)
    breaker.record_failure("x", failure_type="timeout")
    clock.advance(6)
    assert breaker.get_health_status("x") == {
        "agent_id": "x",
        "state": "open",
        "failure_count": 2,
        "recent_failures": 2,
        "failure_velocity": 12.0,
        "risk_level": "critical",
        "last_failure_time": 1004.0,
        "time_since_last_failure": 6.0,
        "failure_types": ["crash", "timeout"],
        "can_execute": False,
        "next_probe_time": 1124.0,
        "time_until_next_probe": 114.0,
    }


def test_it_is_plain_data(breaker):
    """The status can be written as JSON."""
    breaker.record_failure("x", failure_type="crash")
    assert json.loads(json.dumps(breaker.get_health_status("x")))["failure_types"] == ["crash"]


def test_half_open(breaker, clock):
    """A half open circuit is at high risk, and can execute unless a probe runs."""
    breaker.record_failure("x")
    breaker.record_failure("x")
    clock.advance(120)
    status = breaker.get_health_status("x")
    assert (status["state"], status["risk_level"]) == ("half_open", "high")
    assert status["can_execute"]
    breaker.admit("x")
    status = breaker.get_health_status("x")
    assert (status["state"], status["risk_level"]) == ("half_open", "high")
    assert not status["can_execute"]


@pytest.mark.parametrize(
    ("agent_id", "types", "risk"),
    [
        ("reviewer", ["timeout"], "medium"),
        ("adhoc-1", ["timeout"], "low"),
        ("adhoc-1", ["timeout"] * 2, "low"),
        ("adhoc-1", ["timeout"] * 3, "medium"),
        # The next hard failure would fast-fail.
        ("adhoc-1", ["crash"], "medium"),
    ],
)
def test_medium_risk_is_one_failure_before_opening(breaker, agent_id, types, risk):
    """The risk is medium exactly when the next failure can open the circuit."""
    for failure_type in types:
        breaker.record_failure(agent_id, failure_type=failure_type)
    assert breaker.get_health_status(agent_id)["risk_level"] == risk


def test_an_agent_without_failures_is_at_low_risk(clock):
    """A threshold of one puts nobody at risk who has not failed."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    assert breaker.get_health_status("x")["risk_level"] == "low"


def test_old_failures_leave_the_status(breaker, clock):
    """What has left the window is neither counted nor listed while closed."""
    breaker.record_failure("x", failure_type="crash")
    clock.advance(301)
    assert breaker.get_health_status("x") == breaker.get_health_status("y") | {"agent_id": "x"}


def test_the_types_of_a_quiet_time_ago_leave_with_the_next_failure(breaker, clock):
    """A failure after a whole quiet window starts a new list of types."""
    breaker.record_failure("x", failure_type="crash")
    clock.advance(301)
    breaker.record_failure("x", failure_type="timeout")
    assert breaker.get_health_status("x")["failure_types"] == ["timeout"]


def test_a_failure_is_recent_to_the_last_moment_of_the_window(breaker, clock):
    """Of two failures the one exactly 300 seconds ago is recent, the older one is not."""
    breaker.record_failure("adhoc-1")
    clock.advance(100)
    breaker.record_failure("adhoc-1")
    clock.advance(300)
    assert breaker.get_health_status("adhoc-1")["recent_failures"] == 1


def test_the_count_of_an_open_circuit_outlives_the_window(clock):
    """An open circuit keeps its count while its failures cease to be recent."""
    breaker = CircuitBreaker(failure_window=10.0, clock=clock)
    breaker.record_failure("x")
    breaker.record_failure("x")
    clock.advance(60)
    status = breaker.get_health_status("x")
    assert (status["failure_count"], status["recent_failures"]) == (2, 0)
    assert (status["failure_velocity"], status["time_since_last_failure"]) == (0.0, 60.0)


@pytest.mark.parametrize(
    ("failures_at", "asked_at", "velocity"),
    [
        ([], 0, 0.0),
        ([0], 0, 0.0),
        # At least one second is taken to have passed.
        ([0, 0], 0, 120.0),
        ([0, 0.5], 1, 120.0),
        ([0, 30], 30, 4.0),
        ([0, 30], 60, 2.0),
        # The first has left the window: one recent failure is no pace.
        ([0, 299], 301, 0.0),
    ],
)
def test_velocity(breaker, clock, failures_at, asked_at, velocity):
    """Velocity is recent failures over the seconds since the first of them, times 60."""
    start = clock.now
    for moment in failures_at:
        clock.now = start + moment
        breaker.record_failure("adhoc-1")
    clock.now = start + asked_at
    assert breaker.get_failure_velocity("adhoc-1") == velocity
    assert breaker.get_health_status("adhoc-1")["failure_velocity"] == velocity


def test_a_flood_is_counted_in_full_and_remembered_in_part(breaker):
    """An open circuit counts every failure, and lists the latest 32."""
    for _ in range(100):
        breaker.record_failure("x", failure_type="crash")
        breaker.record_failure("x", failure_type="timeout")
    status = breaker.get_health_status("x")
    assert (status["failure_count"], status["recent_failures"]) == (200, 32)
    assert status["failure_types"] == ["crash", "timeout"] * 16
