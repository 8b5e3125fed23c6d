"""Kinds of agent, and constructor arguments that make no sense."""

import pytest

from aurora_circuit_breaker import (
    Backoff,
    CircuitBreaker,
    FailureRate,
    Kind,
    SlowCalls,
    ledger,
)


def opens_at(breaker, agent_id):
    """How many soft failures open the circuit."""
    for failures in range(1, 10):
        breaker.record_failure(agent_id)
        if breaker.is_open(agent_id):
            return failures
    return pytest.fail("never opened")


@pytest.mark.parametrize(
    "agent_id",
    [
        "adhoc",
        "adhoc-1",
        "adhoc1",
        "ad-hoc-reviewer",
        "ad_hoc_reviewer",
        "my_adhoc_agent",
        "Generated Reviewer",
        "auto.generated",
        "DYNAMIC",
        "x:inferred:y",
    ],
)
def test_the_words_of_an_id_make_it_adhoc(breaker, agent_id):
    """The five words make an agent adhoc wherever they stand as words, in any case."""
    assert opens_at(breaker, agent_id) == 4


@pytest.mark.parametrize(
    "agent_id",
    ["regenerated-data", "aerodynamics", "dynamics", "adhocracy", "uninferred", "ad", "", "émigré"],
)
def test_parts_of_words_do_not(breaker, agent_id):
    """A longer word that holds one of the five is nothing special."""
    assert opens_at(breaker, agent_id) == 2


def test_a_program_may_know_its_own_kinds(clock):
    """kind_of decides for every id, and the words mean nothing then."""
    breaker = CircuitBreaker(
        clock=clock, kind_of=lambda agent_id: Kind.ADHOC if agent_id == "new" else Kind.REGULAR
    )
    assert opens_at(breaker, "new") == 4
    assert opens_at(breaker, "adhoc-1") == 2


def test_a_program_may_have_no_kinds(clock):
    """With kind_of=None a service called dynamic-pricing is like any other."""
    breaker = CircuitBreaker(clock=clock, kind_of=None)
    assert opens_at(breaker, "dynamic-pricing") == 2
    breaker.mark_as_adhoc("marked")
    assert opens_at(breaker, "marked") == 4


def test_only_so_many_marks_are_kept(clock, monkeypatch):
    """Of too many marks the one that was made longest ago goes; marking again makes it new."""
    monkeypatch.setattr(ledger, "MARKS", 2)
    breaker = CircuitBreaker(clock=clock)
    for agent_id in ("a", "b", "a", "c"):
        breaker.mark_as_adhoc(agent_id)
    assert [opens_at(breaker, agent_id) for agent_id in ("a", "b", "c")] == [4, 2, 4]


INFINITE, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"failure_threshold": 0}, "threshold must be at least 1, not 0"),
        ({"adhoc_failure_threshold": 0}, "threshold must be at least 1, not 0"),
        ({"fast_fail_threshold": 0}, "fast_fail_threshold must be at least 1, not 0"),
        ({"failure_window": -1}, "window must be finite and not negative, not -1"),
        ({"reset_timeout": NAN}, "reset_timeout must be finite and not negative, not nan"),
        ({"fast_fail_window": INFINITE}, "fast_fail_window must be finite and not .*inf"),
        ({"adhoc_fast_fail_window": -0.1}, "fast_fail_window must be finite and not .*-0.1"),
        ({"probes": 0}, "probes must be at least 1, not 0"),
        (
            {"failure_window": 0, "failure_rate": FailureRate()},
            "a rate needs a window above 0",
        ),
    ],
)
def test_senseless_arguments_are_refused(arguments, words):
    """A number out of its bounds is refused, with its name and its value."""
    with pytest.raises(ValueError, match=f"^{words}$"):
        CircuitBreaker(**arguments)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FailureRate(share=0), "share must be above 0 and at most 1, not 0"),
        (lambda: FailureRate(share=1.5), "share must be above 0 and at most 1, not 1.5"),
        (lambda: FailureRate(minimum_calls=0), "minimum_calls must be at least 1, not 0"),
        (lambda: SlowCalls(0), "longer_than must be above 0 and finite, not 0"),
        (lambda: SlowCalls(INFINITE), "longer_than must be above 0 and finite, not inf"),
        (lambda: SlowCalls(1, share=0), "share must be above 0 and at most 1, not 0"),
        (lambda: Backoff(factor=0.9), "factor must be at least 1 and finite, not 0.9"),
        (lambda: Backoff(factor=INFINITE), "factor must be at least 1 and finite, not inf"),
        (lambda: Backoff(maximum=0), "maximum must be above 0 and finite, not 0"),
        (lambda: Backoff(maximum=INFINITE), "maximum must be above 0 and finite, not inf"),
        (lambda: Backoff(jitter=-0.1), "jitter must be from 0 to 1, not -0.1"),
        (lambda: Backoff(jitter=1.1), "jitter must be from 0 to 1, not 1.1"),
    ],
)
def test_senseless_conditions_are_refused(make, words):
    """A condition out of its bounds is refused, with the bounds and the value."""
    with pytest.raises(ValueError, match=f"^{words}$"):
        make()


def test_the_bounds_themselves_are_allowed():
    """What lies on a bound that belongs to the range is a condition."""
    assert FailureRate(share=1, minimum_calls=1).share == 1
    assert SlowCalls(0.5, share=1, minimum_calls=1).longer_than == 0.5
    assert Backoff(factor=1, maximum=0.5, jitter=0).jitter == 0
    assert Backoff(jitter=1).jitter == 1
    CircuitBreaker(failure_window=0, reset_timeout=0, fast_fail_window=0)


def test_an_unknown_failure_type_is_refused(breaker):
    """A misspelled type is an error that names the known ones, and nothing is counted."""
    with pytest.raises(ValueError, match="'timout'; known: timeout, "):
        breaker.record_failure("x", failure_type="timout")
    assert breaker.get_health_status("x")["failure_count"] == 0
