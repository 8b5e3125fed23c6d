"""Many agents lose one provider at the same time: how many attempts that may cost at most."""

import asyncio
from collections import Counter
from unittest.mock import patch

import pytest

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import AgentInfo, CollectResult, execute_agents
from aurora_soar.admission.throttle import FIRST_PARK, LONGEST_PARK
from aurora_spawner import FailureType, RecoverableTask, SpawnResult
from aurora_spawner.testing import run_virtual

ANSWER_TAKES = 5.0
REFUSAL_TAKES = 0.5


class Provider:
    """Fails everybody until `back_at`, then answers."""

    def __init__(self, back_at: float, failure: FailureType, *, tells: bool = False) -> None:
        self.back_at = back_at
        self.failure = failure
        self.tells = tells
        self.failed: Counter[str] = Counter()
        self.answered = 0

    async def spawn(self, task: RecoverableTask) -> SpawnResult:
        loop = asyncio.get_running_loop()
        if loop.time() >= self.back_at:
            await asyncio.sleep(ANSWER_TAKES)
            self.answered += 1
            return SpawnResult(True, "answer", None, 0, tool="claude")
        self.failed[str(task.agent_id)] += 1
        await asyncio.sleep(REFUSAL_TAKES)
        left = max(self.back_at - loop.time(), 0.0)
        return SpawnResult(
            False,
            "",
            "no",
            1,
            tool="claude",
            failure_type=self.failure,
            retry_after=left if self.tells else None,
        )

    def lose(self, *, tasks: int, agents: int, at_once: int, seed: int) -> CollectResult:
        async def main() -> CollectResult:
            loop = asyncio.get_running_loop()
            known = [AgentInfo(f"agent-{n}", config={"tool": "claude"}) for n in range(agents)]
            with patch("aurora_soar.phases.collect.spawn", new=self.spawn):
                return await execute_agents(
                    [(number, known[number % agents]) for number in range(tasks)],
                    [{"description": "work"} for _ in range(tasks)],
                    max_concurrent=at_once,
                    global_timeout=1e6,
                    fallback_to_llm=False,
                    breaker=CircuitBreaker(clock=loop.time),
                )

        return run_virtual(main(), seed=seed)


def probes_of(outage: float) -> int:
    """Parks that an outage meets where nobody tells its end: they double up to the longest."""
    parks, at = 0, 0.0
    while at < outage:
        at += REFUSAL_TAKES + min(FIRST_PARK * 2.0**parks, LONGEST_PARK)
        parks += 1
    return parks


def waves(at_once: int, parks: int) -> int:
    """The most that may fail: each park halves how many may start after it, down to one.

    So it is `at_once` of the first wave, less than that of all that halve, and one of each wave
    after them: less than `2 * at_once + parks`, however many tasks wait.
    """
    total, allowed = 0, at_once
    for _ in range(parks):
        total += allowed
        allowed = max(1, allowed // 2)
    assert total < 2 * at_once + parks
    return total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at_once", [1, 8, 50])
@pytest.mark.parametrize("outage", [20.0, 600.0, 1500.0])
def test_a_limited_provider_is_asked_by_a_few(outage: float, at_once: int, seed: int) -> None:
    """F50: 200 agents behind a provider that limits all of them ask it in vain once for each place
    of each wave, waves halve, and everybody has an answer in the end."""
    provider = Provider(outage, FailureType.RATE_LIMIT)
    result = provider.lose(tasks=200, agents=200, at_once=at_once, seed=seed)
    assert sum(provider.failed.values()) <= waves(at_once, probes_of(outage))
    assert all(output.success for output in result.agent_outputs)
    assert provider.answered == 200


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at_once", [1, 8, 50])
def test_a_limit_that_tells_its_end_is_met_once(at_once: int, seed: int) -> None:
    """F50: where the provider says when it is back, only those that ran already ask in vain."""
    provider = Provider(1500.0, FailureType.RATE_LIMIT, tells=True)
    result = provider.lose(tasks=200, agents=200, at_once=at_once, seed=seed)
    assert 1 <= sum(provider.failed.values()) <= at_once
    assert all(output.success for output in result.agent_outputs)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("at_once", [1, 8, 50])
def test_a_provider_that_is_down_opens_every_circuit(at_once: int, seed: int) -> None:
    """F47: 200 tasks of ten agents whose provider is down cost each agent the attempts that ran
    when its second failure opened its circuit, and one probe for each time that it was open."""
    provider = Provider(1e9, FailureType.CONNECTION)
    result = provider.lose(tasks=200, agents=10, at_once=at_once, seed=seed)
    assert not any(output.success for output in result.agent_outputs)
    # The threshold is two; whoever was let in before runs to its end beside the second one.
    probes = result.execution_metadata["total_duration_ms"] / 1000 // 120 + 1
    assert len(provider.failed) == 10
    assert max(provider.failed.values()) <= 2 + (at_once - 1) + probes
    # All agents share the places, so what runs when circuits open is no more than the places.
    assert sum(provider.failed.values()) <= 10 * (2 + probes) + at_once - 1
