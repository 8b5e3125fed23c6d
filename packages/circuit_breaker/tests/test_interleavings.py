"""Many tasks on one breaker, in orders that a seed draws."""

import asyncio
import random

import pytest

from aurora_circuit_breaker import CircuitBreaker, CircuitOpenError

TASKS = 100


def trip(breaker):
    breaker.record_failure("x")
    breaker.record_failure("x")


async def steps(chance, most):
    """Let others go first, a few times."""
    for _ in range(chance.randrange(most + 1)):
        await asyncio.sleep(0)


@pytest.mark.parametrize("probes", [1, 3])
def test_f47_exactly_n_of_a_hundred_tasks(store_at, clock, repetitions, probes):
    """F47: at each reset as many of 2 to 100 tasks run as may probe, in whatever order they ask."""
    breaker = CircuitBreaker(clock=clock, store=store_at(clock), probes=probes)
    trip(breaker)

    async def ask(chance, granted):
        await steps(chance, 5)
        permit = breaker.admit("x")
        if permit.granted:
            granted.append(permit)

    async def crowd(seed):
        chance = random.Random(seed)
        size, granted = chance.randint(2, TASKS), []
        await asyncio.gather(*(ask(chance, granted) for _ in range(size)))
        assert len(granted) == min(size, probes), f"seed {seed}"
        for permit in granted:
            permit.failure()

    for seed in range(repetitions):
        clock.advance(120)
        asyncio.run(crowd(seed))


class Crowd:
    """Tasks that guard what they do and end in every way, and a count of the probes among them."""

    def __init__(self, breaker: CircuitBreaker, chance: random.Random) -> None:
        self.breaker = breaker
        self.chance = chance
        self.inside = self.most = 0

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._call()) for _ in range(self.chance.randint(2, TASKS))]
        for task in self.chance.sample(tasks, len(tasks) // 3):
            await steps(self.chance, 1)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self) -> None:
        await steps(self.chance, 8)
        # Nobody else runs between this and entering: the store is in memory.
        probing = self.breaker.get_health_status("x")["state"] == "half_open"
        try:
            async with self.breaker.guard("x"):
                self.inside += probing
                self.most = max(self.most, self.inside)
                try:
                    await steps(self.chance, 8)
                    if self.chance.random() < 0.2:
                        raise RuntimeError
                finally:
                    self.inside -= probing
        except (CircuitOpenError, RuntimeError):
            pass


@pytest.mark.parametrize("probes", [1, 3])
def test_f48_guards_that_end_in_every_way(clock, repetitions, probes):
    """F48: never more than the probes are inside while half open, and after successes, failures
    and cancellations in any order every slot is there again."""
    for seed in range(repetitions):
        breaker = CircuitBreaker(clock=clock, probes=probes)
        trip(breaker)
        clock.advance(120)
        crowd = Crowd(breaker, random.Random(seed))
        asyncio.run(crowd.run())
        assert crowd.most <= probes, f"seed {seed}"
        trip(breaker)
        clock.advance(120)
        granted = [breaker.admit("x").granted for _ in range(probes + 1)]
        assert granted == [True] * probes + [False], f"seed {seed}"
