"""Many threads on one breaker."""

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from aurora_circuit_breaker import CircuitBreaker

THREADS = 16


@pytest.fixture(autouse=True)
def many_switches():
    """Let the interpreter switch threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock=clock)


def together(work):
    """Run `work(number)` in all threads from the same moment; its results."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(timeout=10)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_no_failure_is_lost(clock):
    """Failures that all threads tell at once are all counted."""
    breaker = CircuitBreaker(failure_threshold=2, clock=clock)
    together(lambda _: [breaker.record_failure("x") for _ in range(250)])
    assert breaker.get_health_status("x")["failure_count"] == THREADS * 250


def test_no_failure_is_lost_while_closed(clock):
    """Threads that fail below the threshold add up to it."""
    breaker = CircuitBreaker(failure_threshold=801, fast_fail_threshold=801, clock=clock)
    together(lambda _: [breaker.record_failure("x") for _ in range(50)])
    assert breaker.get_health_status("x")["failure_count"] == 800
    breaker.record_failure("x")
    assert breaker.is_open("x")


@pytest.mark.parametrize("probes", [1, 3])
def test_f47_exactly_n_of_sixteen_threads(store_at, clock, repetitions, probes):
    """F47: at each reset as many of 16 threads run as may probe, in whatever order they ask."""
    breaker = CircuitBreaker(clock=clock, store=store_at(clock), probes=probes)
    breaker.record_failure("x")
    breaker.record_failure("x")
    for seed in range(repetitions):
        clock.advance(120)
        chance = random.Random(seed)
        waits = [chance.randrange(20) for _ in range(THREADS)]

        def ask(number, waits=waits):
            for _ in range(waits[number]):
                time.sleep(0)
            return breaker.admit("x")

        granted = [permit for permit in together(ask) if permit.granted]
        assert len(granted) == probes, f"seed {seed}"
        for permit in granted:
            permit.failure()


def test_a_permit_is_settled_by_one_thread(breaker):
    """Of all threads that tell the failure of one permit, one is heard."""
    for number in range(100):
        permit = breaker.admit(str(number))
        together(lambda _, permit=permit: permit.failure())
        assert breaker.get_health_status(str(number))["failure_count"] == 1


def test_asking_reclaiming_and_telling_at_once(clock):
    """Threads may read and iterate while others make the store grow and sweep."""
    breaker = CircuitBreaker(clock=clock)

    def work(number):
        for step in range(400):
            breaker.record_failure(f"{number} {step}")
            breaker.should_skip(f"{number} {step}")
            clock.now += 1
        breaker.reset_all()

    together(work)
    assert not any(breaker.is_open(agent_id) for agent_id in breaker.store)
