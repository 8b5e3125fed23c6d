"""The contract's table, row by row, and the lines below it."""

import inspect
import itertools
import logging
import random
import time

import pytest

from aurora_circuit_breaker import CircuitBreaker, FailureType

HARD = [
    "crash",
    "error_pattern",
    "auth",
    "forbidden",
    "not_found",
    "invalid_model",
    "invalid_request",
]
SOFT = ["timeout", "inference", "connection", None]
NEVER = ["rate_limit", "check_failed"]


def fail(breaker, agent_id, *types, clock=None, every=0.0, **kwargs):
    for position, failure_type in enumerate(types):
        if position and clock:
            clock.advance(every)
        breaker.record_failure(agent_id, failure_type=failure_type, **kwargs)


def test_the_defaults_are_the_contracts():
    """The constructor's defaults are those of the contract."""
    parameters = inspect.signature(CircuitBreaker).parameters
    defaults = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    assert defaults.pop("kind_of") is not None
    assert defaults == {
        "failure_threshold": 2,
        "adhoc_failure_threshold": 4,
        "failure_window": 300.0,
        "reset_timeout": 120.0,
        "fast_fail_threshold": 2,
        "fast_fail_window": 10.0,
        "adhoc_fast_fail_window": 30.0,
        "clock": time.monotonic,
        "store": None,
    }


def test_what_the_contract_does_not_know_is_off():
    """What was added to the contract has to be asked for, by keyword, and the 120 s stay."""
    parameters = inspect.signature(CircuitBreaker).parameters
    added = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert added.pop("random") is random.random
    assert added == {
        "probes": 1,
        "failure_rate": None,
        "slow_calls": None,
        "backoff": None,
        "shadow": False,
        "on_change": None,
    }


def test_there_are_exactly_the_contracts_failure_types():
    """The failure types are those of the contract, and the spawner's, and no others."""
    assert set(FailureType) == {*HARD, *SOFT[:-1], *NEVER}


@pytest.mark.parametrize(("agent_id", "threshold"), [("reviewer", 2), ("adhoc-1", 4)])
@pytest.mark.parametrize("failure_type", [*HARD, *SOFT])
def test_opens_at_the_threshold(breaker, clock, agent_id, threshold, failure_type):
    """Failures far apart open the circuit with the last one that the threshold asks for."""
    for _ in range(threshold - 1):
        breaker.record_failure(agent_id, failure_type=failure_type)
        assert not breaker.is_open(agent_id)
        clock.advance(31)
    breaker.record_failure(agent_id, failure_type=failure_type)
    assert breaker.is_open(agent_id)


@pytest.mark.parametrize(("gap", "opens"), [(300.0, True), (300.1, False)])
def test_a_failure_counts_within_the_window_only(breaker, clock, gap, opens):
    """A failure counts for 300 seconds, the last moment included."""
    fail(breaker, "reviewer", None, None, clock=clock, every=gap)
    assert breaker.is_open("reviewer") is opens


def test_a_success_does_not_take_a_failure_out_of_the_window(breaker):
    """Failures count within their window whether or not a success lies between them."""
    breaker.record_failure("reviewer")
    breaker.record_success("reviewer")
    breaker.record_failure("reviewer")
    assert breaker.is_open("reviewer")


@pytest.mark.parametrize("failure_type", [*HARD, *SOFT])
@pytest.mark.parametrize(("gap", "opens"), [(10.0, True), (10.1, False)])
def test_a_regular_agent_fast_fails_with_any_type(clock, failure_type, gap, opens):
    """Two failures within 10 seconds open a regular agent's circuit below its threshold."""
    breaker = CircuitBreaker(failure_threshold=5, clock=clock)
    fail(breaker, "reviewer", failure_type, failure_type, clock=clock, every=gap)
    assert breaker.is_open("reviewer") is opens


@pytest.mark.parametrize("failure_type", HARD)
@pytest.mark.parametrize(("gap", "opens"), [(30.0, True), (30.1, False)])
def test_an_adhoc_agent_fast_fails_with_hard_types(breaker, clock, failure_type, gap, opens):
    """Two hard failures within 30 seconds open an adhoc agent's circuit."""
    fail(breaker, "adhoc-1", failure_type, failure_type, clock=clock, every=gap)
    assert breaker.is_open("adhoc-1") is opens


@pytest.mark.parametrize("failure_type", SOFT)
def test_soft_types_never_fast_fail_an_adhoc_agent(breaker, failure_type):
    """Soft failures at one moment count towards the threshold of an adhoc agent and no more."""
    fail(breaker, "adhoc-1", *[failure_type] * 3)
    assert not breaker.is_open("adhoc-1")
    breaker.record_failure("adhoc-1", failure_type=failure_type)
    assert breaker.is_open("adhoc-1")


@pytest.mark.parametrize(
    "types",
    [("timeout", "crash"), ("crash", "timeout"), ("crash", "timeout", "crash"), (None, "auth")],
)
def test_every_close_failure_of_an_adhoc_agent_must_be_hard(breaker, types):
    """One soft failure among the close ones keeps an adhoc agent from fast-failing."""
    fail(breaker, "adhoc-1", *types)
    assert not breaker.is_open("adhoc-1")


def test_a_soft_failure_that_is_not_close_does_not_matter(breaker, clock):
    """Only the failures of the last 30 seconds decide about an adhoc agent's fast-fail."""
    fail(breaker, "adhoc-1", "timeout", "crash", clock=clock, every=31.0)
    breaker.record_failure("adhoc-1", failure_type="crash")
    assert breaker.is_open("adhoc-1")


def test_a_soft_failure_is_close_to_the_last_moment(breaker, clock):
    """A soft failure exactly 30 seconds ago is still a close one."""
    breaker.record_failure("adhoc-1", failure_type="timeout")
    clock.advance(20)
    breaker.record_failure("adhoc-1", failure_type="crash")
    clock.advance(10)
    breaker.record_failure("adhoc-1", failure_type="crash")
    assert not breaker.is_open("adhoc-1")


def test_a_soft_failure_before_the_mark_counts_as_soft(breaker):
    """Marking an agent applies the adhoc rules to the failures that it already has."""
    breaker.record_failure("worker", failure_type="timeout")
    breaker.mark_as_adhoc("worker")
    breaker.record_failure("worker", failure_type="crash")
    assert not breaker.is_open("worker")


def test_fast_fail_false_counts_and_no_more(breaker):
    """A failure told with fast_fail=False opens the circuit by the threshold only."""
    fail(breaker, "adhoc-1", "crash", "crash", "crash", fast_fail=False)
    assert not breaker.is_open("adhoc-1")
    breaker.record_failure("adhoc-1", fast_fail=False, failure_type="crash")
    assert breaker.is_open("adhoc-1")


@pytest.mark.parametrize("agent_id", ["reviewer", "adhoc-1"])
@pytest.mark.parametrize("failure_type", NEVER)
def test_some_types_never_count(breaker, agent_id, failure_type):
    """F50: neither a rate limit nor a failed check is ever the agent's fault."""
    fail(breaker, agent_id, *[failure_type] * 20)
    status = breaker.get_health_status(agent_id)
    assert not breaker.is_open(agent_id)
    assert (status["failure_count"], status["recent_failures"]) == (0, 0)
    assert (status["risk_level"], status["last_failure_time"]) == ("low", None)


def test_a_rate_limit_is_seen_among_the_types_only(breaker):
    """A rate limit is listed with the failure types; a failed check leaves no trace."""
    fail(breaker, "reviewer", "rate_limit", "check_failed", "timeout")
    assert breaker.get_health_status("reviewer")["failure_types"] == ["rate_limit", "timeout"]


@pytest.mark.parametrize("failure_type", NEVER)
def test_uncounted_types_change_nothing_about_an_open_circuit(breaker, clock, failure_type):
    """An open circuit neither counts them nor moves its retry time for them."""
    fail(breaker, "reviewer", None, None)
    clock.advance(60)
    breaker.record_failure("reviewer", failure_type=failure_type)
    assert breaker.should_skip("reviewer") == (True, "Circuit open: 2 failures, retry in 60s")


def test_half_open_after_the_reset_timeout(breaker, clock):
    """The circuit refuses for exactly 120 seconds."""
    fail(breaker, "reviewer", None, None)
    clock.advance(119.9)
    assert breaker.is_open("reviewer")
    clock.advance(0.1)
    assert not breaker.is_open("reviewer")
    assert breaker.get_health_status("reviewer")["state"] == "half_open"


def test_the_reason_is_the_contracts_text(breaker, clock):
    """An open circuit says how many failures it has and when to retry."""
    fail(breaker, "reviewer", None, None)
    clock.advance(29.5)
    breaker.record_failure("reviewer")
    clock.advance(0.5)
    assert breaker.should_skip("reviewer") == (True, "Circuit open: 3 failures, retry in 90s")
    assert breaker.should_skip("somebody-else") == (False, "")


def test_the_seconds_of_the_reason_are_rounded_up(breaker, clock):
    """Who waits as long as the reason says is not refused again."""
    fail(breaker, "reviewer", None, None)
    clock.advance(119.5)
    assert breaker.should_skip("reviewer")[1].endswith("retry in 1s")


def test_one_failure_is_told_in_the_singular(clock):
    """A circuit that opens at its first failure says so in plain English."""
    breaker = CircuitBreaker(failure_threshold=1, clock=clock)
    breaker.record_failure("reviewer")
    assert breaker.should_skip("reviewer")[1] == "Circuit open: 1 failure, retry in 120s"


def test_a_failure_while_open_is_added_without_moving_the_retry_time(breaker, clock):
    """Failures told to an open circuit show in count and types and change nothing else."""
    fail(breaker, "reviewer", "crash", "auth")
    clock.advance(100)
    breaker.record_failure("reviewer", failure_type="timeout")
    status = breaker.get_health_status("reviewer")
    assert (status["failure_count"], status["recent_failures"]) == (3, 3)
    assert status["failure_types"] == ["crash", "auth", "timeout"]
    clock.advance(20)
    assert not breaker.is_open("reviewer")


def test_a_failure_while_half_open_opens_again(breaker, clock):
    """A failure told to a half open circuit starts a full reset timeout."""
    fail(breaker, "reviewer", None, None)
    clock.advance(120)
    breaker.record_failure("reviewer")
    assert breaker.should_skip("reviewer") == (True, "Circuit open: 3 failures, retry in 120s")


@pytest.mark.parametrize("waited", [0, 120])
def test_a_success_told_without_a_permit_closes(breaker, clock, waited):
    """record_success closes an open and a half open circuit, and its failures are forgotten."""
    fail(breaker, "reviewer", None, None)
    clock.advance(waited)
    breaker.record_success("reviewer")
    assert breaker.get_health_status("reviewer")["state"] == "closed"
    breaker.record_failure("reviewer")
    assert not breaker.is_open("reviewer")


@pytest.mark.parametrize("waited", [0, 120])
def test_asking_changes_nothing(breaker, clock, waited):
    """However often is_open, should_skip and the health are asked, a probe stays available."""
    fail(breaker, "reviewer", None, None)
    clock.advance(waited)
    before = breaker.get_health_status("reviewer")
    for _ in range(5):
        breaker.is_open("reviewer")
        breaker.should_skip("reviewer")
    assert breaker.get_health_status("reviewer") == before
    assert breaker.admit("reviewer").granted is (waited == 120)


def test_reset_forgets_everything_but_the_mark(breaker):
    """After reset the agent is healthy, and still adhoc."""
    breaker.mark_as_adhoc("worker")
    fail(breaker, "worker", *[None] * 4)
    breaker.reset("worker")
    status = breaker.get_health_status("worker")
    assert (status["state"], status["failure_count"], status["failure_types"]) == ("closed", 0, [])
    fail(breaker, "worker", None, None, None)
    assert not breaker.is_open("worker")


def test_reset_forgets_the_failures_of_a_closed_circuit(breaker):
    """A failure from before a reset does not count after it."""
    breaker.record_failure("reviewer")
    breaker.reset("reviewer")
    breaker.record_failure("reviewer")
    assert not breaker.is_open("reviewer")


def test_reset_all_resets_everybody_and_keeps_the_marks(breaker):
    """After reset_all nobody is open, and the marked are still adhoc."""
    breaker.mark_as_adhoc("worker")
    fail(breaker, "worker", *[None] * 4)
    fail(breaker, "reviewer", None, None)
    breaker.reset_all()
    assert not breaker.is_open("worker")
    assert not breaker.is_open("reviewer")
    fail(breaker, "worker", None, None, None)
    assert not breaker.is_open("worker")


@pytest.mark.parametrize(
    ("agent_id", "name"), [("reviewer", "for agent 'reviewer'"), ("adhoc-1", "for adhoc agent")]
)
def test_opening_is_a_warning_that_names_the_kind(breaker, clock, caplog, agent_id, name):
    """Each opening logs one WARNING with the kind of agent; counting alone logs nothing."""
    caplog.set_level(logging.DEBUG)
    fail(breaker, agent_id, None, *[None] * (3 if agent_id == "adhoc-1" else 1))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert name in record.getMessage()
    breaker.record_failure(agent_id)
    clock.advance(120)
    breaker.admit(agent_id).failure()
    assert len(caplog.records) == 2


def test_agents_do_not_affect_each_other(breaker):
    """One agent's open circuit refuses nobody else."""
    fail(breaker, "reviewer", None, None)
    assert not breaker.is_open("writer")


def test_f46_the_wall_clock_does_not_matter(monkeypatch):
    """F46: jumps of the wall clock by an hour either way change nothing."""
    jumps = itertools.cycle([0.0, 7200.0, 3600.0])
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    breaker = CircuitBreaker()
    fail(breaker, "reviewer", None, None)
    for _ in range(5):
        assert breaker.should_skip("reviewer") == (True, "Circuit open: 2 failures, retry in 120s")
