"""Kinds of agent, and constructor arguments that make no sense."""

import pytest

from aurora_circuit_breaker import CircuitBreaker, Kind


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


@pytest.mark.parametrize(
    "arguments",
    [
        {"failure_threshold": 0},
        {"adhoc_failure_threshold": 0},
        {"fast_fail_threshold": 0},
        {"failure_window": -1},
        {"reset_timeout": float("nan")},
        {"fast_fail_window": float("inf")},
        {"adhoc_fast_fail_window": -0.1},
    ],
)
def test_senseless_arguments_are_refused(arguments):
    """A threshold below one and a time that is negative or not finite are a ValueError."""
    with pytest.raises(ValueError, match="must be"):
        CircuitBreaker(**arguments)


def test_an_unknown_failure_type_is_refused(breaker):
    """A misspelled type is an error that names the known ones, and nothing is counted."""
    with pytest.raises(ValueError, match="'timout'; known: timeout, "):
        breaker.record_failure("x", failure_type="timout")
    assert breaker.get_health_status("x")["failure_count"] == 0
