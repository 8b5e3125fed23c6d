"""The script of the Redis store against the machine in Python: the same rules, step by step."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("redis")

from aurora_circuit_breaker import Backoff, FailureRate, FailureType, SlowCalls
from aurora_circuit_breaker.codec import from_plain
from aurora_circuit_breaker.policy import Kind, Rules
from aurora_circuit_breaker.state import (
    HEALTHY,
    Closed,
    Open,
    admit,
    fail,
    force,
    forget,
    release,
    restore,
    shifted,
    succeed,
)

# Windows, timeouts and leases to the last moment among them.
SECONDS = st.sampled_from([0.0, 0.1, 1 / 3, 10.0, 20.0, 30.0, 50.0, 120.0, 180.0, 300.0, 301.0])
TYPES = st.sampled_from([None, *FailureType])

RULES = st.builds(
    Rules,
    kind=st.sampled_from(Kind),
    threshold=st.sampled_from([1, 2, 4, 100]),
    window=st.sampled_from([300.0, 50.0, 7.7]),
    fast_fail_threshold=st.sampled_from([2, 3, 100]),
    fast_fail_window=st.sampled_from([10.0, 30.0]),
    fast_fail_hard_only=st.booleans(),
    reset_timeout=st.sampled_from([0.0, 30.0, 120.0]),
    failure_rate=st.none() | st.builds(FailureRate, st.sampled_from([0.5, 1.0]), st.just(3)),
    slow_calls=st.none() | st.builds(SlowCalls, st.just(5.0), st.just(0.5), st.just(2)),
    backoff=st.none() | st.builds(Backoff, st.just(1.7), st.just(200.0), st.just(0.25)),
)
JITTER = st.sampled_from([0.0, 0.3])
# Which of the permits given so far, counted from the latest.
PERMIT = st.sampled_from([0, 0, 0, 1, 2, 3])
STEPS = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([50.0, 120.0]), st.sampled_from([1, 3])),
    st.tuples(
        st.just("fail"),
        *(TYPES, st.booleans(), st.none() | PERMIT, st.booleans(), st.none() | SECONDS, JITTER),
    ),
    st.tuples(st.just("succeed"), st.none() | PERMIT, st.booleans(), JITTER),
    st.tuples(st.just("release"), PERMIT),
    st.tuples(st.sampled_from(["force", "forget", "restore"]), st.booleans()),
)
# Openings and probes make the difference, and few draws get there by chance.
TELLING = st.one_of(
    st.just(("admit", 50.0, 3)),
    st.just(("admit", 120.0, 3)),
    st.just(("fail", None, True, 0, False, None, 0.3)),
    st.just(("fail", FailureType.CRASH, True, None, False, None, 0.0)),
    st.just(("fail", FailureType.RATE_LIMIT, True, None, False, 300.0, 0.0)),
)
SCHEDULES = st.lists(st.tuples(SECONDS, TELLING | STEPS), max_size=50)

CHANGES = {
    change.__name__: change for change in (admit, fail, succeed, release, force, forget, restore)
}


def argument_of(step, rules, permits, state, now):
    """The argument of a change, with the permit that the step means in its place."""

    def permit(back):
        return None if back is None else ([0, *permits])[-1 - min(back, len(permits))]

    name, *rest = step
    if name == "admit":
        return tuple(rest)
    if name == "fail":
        failure_type, fast_fail, back, slow, retry_after, jitter = rest
        return rules, failure_type, fast_fail, permit(back), slow, retry_after, jitter
    if name == "succeed":
        back, slow, jitter = rest
        return rules, permit(back), slow, jitter
    if name == "release":
        return permit(rest[0])
    if name == "force":
        return rest[0]
    return shifted(state, -now) if name == "restore" else None


def test_every_step_of_the_script_is_a_step_of_the_machine(scripted):
    """Whatever happens in whatever order, the script writes the state that the machine gives."""
    store, client = scripted

    @settings(max_examples=400, deadline=None)
    @given(rules=RULES, schedule=SCHEDULES)
    def compare(rules, schedule):
        client.flushdb()
        store._seen = None
        now, state, permits = 1e6, HEALTHY, []
        for seconds, step in schedule:
            now += seconds
            client.set("test:time", repr(now))
            argument = argument_of(step, rules, permits, state, now)
            before, after, told = store.update("x", CHANGES[step[0]], argument)
            # The seconds are more than the script forgives: it believes its caller's clock.
            store._seen = None
            assert told == now
            assert before == state
            text = client.get("{aurora}:circuit:x")
            assert (HEALTHY if text is None else from_plain(json.loads(text))) == after
            permits.append(after.generation)
            state = after

    compare()


def test_every_bit_of_a_number_survives(scripted):
    """Times come back from the server as they were, to the last bit."""
    store, client = scripted
    now = math.nextafter(1.7e9 + 1 / 3, 0)
    client.set("test:time", repr(now))
    store.update("x", force, True)
    store.update("x", forget, None)
    state, told = store.look("x")
    assert isinstance(state, Closed)
    assert (state.touched, told) == (now, now)


def test_a_long_window_fits_into_the_script(scripted):
    """A threshold of thousands is no more than a long list."""
    store, client = scripted
    client.set("test:time", "1000")
    rules = Rules(Kind.REGULAR, 20_000, 300.0, 20_000, 10.0, False, 120.0)
    failed = HEALTHY._replace(times=(0.0,) * 19_998, touched=0.0)
    store.update("x", restore, failed)
    for _ in range(3):
        _, after, _ = store.update("x", fail, (rules, None, True, None, False, None, 0.0))
    assert isinstance(after, Open)
    assert store.look("x")[0] == after


@pytest.mark.parametrize("failure_type", [None, FailureType.CRASH])
def test_a_flood_is_forgotten_alike(scripted, failure_type):
    """The script forgets the same failures of a flood as the machine, at the same moments."""
    store, client = scripted
    rules = Rules(Kind.REGULAR, 2, 300.0, 2, 10.0, False, 120.0)
    for step in range(150):
        client.set("test:time", str(1000 + step // 2))
        told = rules, failure_type, True, None, False, None, 0.0
        _, after, _ = store.update("x", fail, told)
        assert store.look("x")[0] == after
    noted = rules, FailureType.RATE_LIMIT, True, None, False, None, 0.0
    for _ in range(100):
        _, after, _ = store.update("x", fail, noted)
        assert store.look("x")[0] == after
