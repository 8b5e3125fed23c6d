"""Edge cases of parallel agents in the collect phase: `execute_agents` from end to end.

Runs in virtual time. Where `collect.spawn` is replaced, the real retries, fallback and breaker
run above it; where `spawn_with_retry_and_fallback` is replaced, the real breaker runs above that.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from aurora_circuit_breaker import CircuitBreaker, get_circuit_breaker
from aurora_soar import AgentInfo, AgentRegistry, CollectResult, execute_agents
from aurora_spawner import SpawnResult, SpawnTask

pytestmark = pytest.mark.asyncio

Answer = SpawnResult | Exception


def ok(output: str = "Result", **more: Any) -> SpawnResult:
    return SpawnResult(success=True, output=output, error=None, exit_code=0, **more)


def failed(error: str, **more: Any) -> SpawnResult:
    return SpawnResult(success=False, output="", error=error, exit_code=1, **more)


def adhoc(agent_id: str) -> AgentInfo:
    return AgentInfo(agent_id, description="Made for this run", config={"is_spawn": True})


def registered(agent_id: str) -> AgentInfo:
    return AgentInfo(agent_id, description="A known specialist")


def now() -> float:
    return asyncio.get_running_loop().time()


class Scripted:
    """Stands in for a spawn function: remembers its tasks, takes its time, answers by script."""

    def __init__(self, script: Callable[[SpawnTask], Answer], seconds: float = 0.05) -> None:
        self.script = script
        self.seconds = seconds
        self.tasks: list[SpawnTask] = []
        self.times: list[float] = []
        self.active = 0
        self.most_active = 0

    async def spawn(self, task: SpawnTask) -> SpawnResult:
        self.tasks.append(task)
        self.times.append(now())
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(self.seconds)
            answer = self.script(task)
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.active -= 1


@contextmanager
def replaced(
    name: str, script: Callable[[SpawnTask], Answer], seconds: float = 0.05
) -> Iterator[Any]:
    """Replace a function of the collect phase, and insist that it was really asked."""
    scripted = Scripted(script, seconds)
    with patch(f"aurora_soar.phases.collect.{name}", AsyncMock(side_effect=scripted.spawn)) as mock:
        yield scripted
    assert mock.await_count > 0, f"the replaced {name} was never called"
    for call in mock.await_args_list:
        assert len(call.args) == 1, "the task is to be the only argument"
        assert call.kwargs == {}


async def collect(
    agents: Sequence[AgentInfo], descriptions: Sequence[str] | None = None, **more: Any
) -> CollectResult:
    """Run one subgoal per agent."""
    texts = descriptions or [f"Subgoal {number}" for number in range(len(agents))]
    subgoals = [{"subgoal_index": index, "description": text} for index, text in enumerate(texts)]
    return await execute_agents(list(enumerate(agents)), subgoals, {}, **more)


@pytest.fixture
def breaker() -> Iterator[CircuitBreaker]:
    """The process's own breaker, empty."""
    own = get_circuit_breaker()
    own.reset_all()
    yield own
    own.reset_all()


class TestParallelSpawnConcurrency:
    async def test_concurrent_adhoc_agent_spawns(self, breaker: CircuitBreaker) -> None:
        """Adhoc agents run side by side, keep their answers apart and are all tracked."""
        agents = [adhoc(f"adhoc-agent-{number}") for number in range(5)]
        with replaced("spawn", lambda task: ok(f"answer: {task.prompt}")) as spawn:
            result = await collect(agents)
        assert spawn.most_active == 5
        assert all(task.agent is None for task in spawn.tasks)
        for number, output in enumerate(result.agent_outputs):
            assert output.success
            assert output.agent_id == f"adhoc-agent-{number}"
            assert f"Subgoal {number}" in output.output
        metadata = result.execution_metadata
        assert metadata["spawned_agents"] == [agent.id for agent in agents]
        assert metadata["spawn_count"] == 5
        assert metadata["failed_subgoals"] == 0

    async def test_mixed_adhoc_and_registered_agents(self, breaker: CircuitBreaker) -> None:
        """Registered agents keep their persona; only the others count as spawned."""
        registry = AgentRegistry([registered("coder"), registered("reviewer")])
        agents = [
            registry.resolve(name) for name in ("coder", "adhoc-one", "reviewer", "adhoc-two")
        ]
        with replaced("spawn", lambda task: ok()) as spawn:
            result = await collect(agents)
        assert [output.success for output in result.agent_outputs] == [True] * 4
        assert sorted(str(task.agent) for task in spawn.tasks) == [
            "None",
            "None",
            "coder",
            "reviewer",
        ]
        assert result.execution_metadata["spawned_agents"] == ["adhoc-one", "adhoc-two"]
        assert result.execution_metadata["spawn_count"] == 2

    async def test_concurrent_circuit_breaker_updates(self, breaker: CircuitBreaker) -> None:
        """Failures that happen together are each counted once, under their own agent."""
        agents = [registered(f"shaky-{number % 4}") for number in range(8)]
        with replaced("spawn_with_retry_and_fallback", lambda task: failed("exit 1")) as spawn:
            result = await collect(agents, max_concurrent=8, fallback_to_llm=False)
        assert spawn.most_active == 8
        assert result.execution_metadata["failed_subgoals"] == 8
        for number in range(4):
            health = breaker.get_health_status(f"shaky-{number}")
            assert health["failure_count"] == 2
            assert health["state"] == "open"
        assert breaker.get_health_status("bystander")["state"] == "closed"

        roomy = CircuitBreaker(failure_threshold=99, fast_fail_threshold=99)
        with replaced("spawn_with_retry_and_fallback", lambda task: failed("exit 1")):
            await collect([registered("shaky")] * 20, max_concurrent=20, breaker=roomy)
        assert roomy.get_health_status("shaky")["failure_count"] == 20


class TestAdhocAgentFailures:
    async def test_adhoc_agent_inference_failures(self, breaker: CircuitBreaker) -> None:
        """Four inference failures open an adhoc agent's circuit, three do not; a regular one's
        opens at two."""
        script = lambda task: failed("Inference failed: model gave no answer")  # noqa: E731
        for agent, limit in ((adhoc("adhoc-thinker"), 4), (registered("thinker"), 2)):
            for failures in range(1, limit + 1):
                with replaced("spawn_with_retry_and_fallback", script):
                    await collect([agent], fallback_to_llm=False)
                health = breaker.get_health_status(agent.id)
                assert health["failure_count"] == failures
                assert health["failure_types"] == ["inference"] * failures
                assert breaker.is_open(agent.id) == (failures == limit)

    async def test_adhoc_agent_fast_fail_threshold(self) -> None:
        """Two hard failures 20 s apart open an adhoc agent's circuit (window 30 s) but would not
        make a regular agent fail fast (10 s); 31 s apart they do not."""
        for gap, opens in ((20.0, True), (31.0, False)):
            breaker = CircuitBreaker(clock=now)
            agent = adhoc("adhoc-hasty")
            with replaced("spawn_with_retry_and_fallback", lambda task: failed("exit 1")):
                await collect([agent], breaker=breaker, fallback_to_llm=False)
                await asyncio.sleep(gap)
                await collect([agent], breaker=breaker, fallback_to_llm=False)
            assert breaker.is_open(agent.id) == opens
        # With the threshold out of the way, a regular agent shows its own window of 10 s.
        for gap, opens in ((9.0, True), (20.0, False)):
            breaker = CircuitBreaker(clock=now, failure_threshold=9)
            with replaced("spawn_with_retry_and_fallback", lambda task: failed("exit 1")):
                await collect([registered("steady")], breaker=breaker, fallback_to_llm=False)
                await asyncio.sleep(gap)
                await collect([registered("steady")], breaker=breaker, fallback_to_llm=False)
            assert breaker.is_open("steady") == opens

    async def test_adhoc_agent_missing_matcher(self, breaker: CircuitBreaker) -> None:
        """Without a matcher the built-in persona is used, and asks to act as the agent."""
        with (
            patch("aurora_soar.phases.collect._get_agent_matcher", return_value=None) as matcher,
            replaced("spawn", lambda task: ok()) as spawn,
        ):
            result = await collect([adhoc("adhoc-historian")], ["Find the oldest commit"])
        matcher.assert_called()
        (task,) = spawn.tasks
        assert "act as a" in task.prompt
        assert "adhoc-historian" in task.prompt
        assert "Find the oldest commit" in task.prompt
        assert task.agent is None
        assert result.agent_outputs[0].success


class TestCircuitBreakerEdgeCases:
    async def test_circuit_breaker_pre_spawn_blocking(self, breaker: CircuitBreaker) -> None:
        """An open circuit stops an agent before anything is spawned; others run."""
        breaker.record_failure("broken-agent")
        breaker.record_failure("broken-agent")
        with replaced("spawn_with_retry_and_fallback", lambda task: ok()) as spawn:
            result = await collect(
                [registered("broken-agent"), registered("healthy-agent")], fallback_to_llm=False
            )
        assert [task.agent for task in spawn.tasks] == ["healthy-agent"]
        blocked, healthy = result.agent_outputs
        assert healthy.success
        assert not blocked.success
        assert (blocked.error or "").startswith("Circuit breaker open")
        metadata = result.execution_metadata
        assert metadata["circuit_blocked_count"] == 1
        (entry,) = metadata["circuit_blocked"]
        assert entry["agent_id"] == "broken-agent"
        assert entry["subgoal_index"] == 0
        assert entry["reason"].startswith("Circuit open: 2 failures, retry in ")
        assert entry["health_status"]["state"] == "open"
        assert entry["health_status"]["risk_level"] == "critical"
        assert metadata["failed_subgoals"] == 1

    async def test_circuit_breaker_with_fallback(self, breaker: CircuitBreaker) -> None:
        """Where the circuit is open and a fallback is wanted, the plain LLM answers."""
        breaker.record_failure("broken-agent")
        breaker.record_failure("broken-agent")
        with (
            patch("aurora_soar.phases.collect.spawn_with_retry_and_fallback") as recovery,
            replaced("spawn", lambda task: ok("plain answer")) as spawn,
        ):
            result = await collect([registered("broken-agent")])
        recovery.assert_not_called()
        (task,) = spawn.tasks
        assert task.agent is None
        assert "Subgoal 0" in task.prompt
        (output,) = result.agent_outputs
        assert (output.success, output.output) == (True, "plain answer")
        assert result.fallback_agents == ["broken-agent"]
        assert result.execution_metadata["fallback_count"] == 1
        assert result.execution_metadata["circuit_blocked_count"] == 1
        assert breaker.is_open("broken-agent"), "a fallback's answer says nothing of the agent"

    async def test_circuit_recovery_in_parallel(self) -> None:
        """After the reset time one of many gets through; its success closes the circuit."""
        breaker = CircuitBreaker(clock=now)
        breaker.record_failure("patient")
        breaker.record_failure("patient")
        await asyncio.sleep(121)
        agents = [registered("patient") for _ in range(4)] + [registered("other")]
        with replaced("spawn_with_retry_and_fallback", lambda task: ok()) as spawn:
            result = await collect(agents, breaker=breaker, fallback_to_llm=False)
        assert [task.agent for task in spawn.tasks] == ["patient", "other"]
        assert [output.success for output in result.agent_outputs] == [
            True,
            False,
            False,
            False,
            True,
        ]
        assert breaker.get_health_status("patient")["state"] == "closed"
        with replaced("spawn_with_retry_and_fallback", lambda task: ok()):
            again = await collect(agents, breaker=breaker)
        assert all(output.success for output in again.agent_outputs)


class TestResourceContention:
    async def test_max_concurrent_limit_respected(self, breaker: CircuitBreaker) -> None:
        """Never more agents run than allowed, five by default, and every slot is used."""
        agents = [registered(f"agent-{number}") for number in range(20)]
        for limit, given in ((5, {}), (2, {"max_concurrent": 2})):
            began = now()
            with replaced("spawn_with_retry_and_fallback", lambda task: ok(), 1.0) as spawn:
                result = await collect(agents, **given)
            assert spawn.most_active == limit
            assert all(output.success for output in result.agent_outputs)
            assert now() - began == pytest.approx(20 / limit)

    async def test_global_timeout_with_slow_agents(
        self, breaker: CircuitBreaker, caplog: pytest.LogCaptureFixture
    ) -> None:
        """After 1.5 times the agents' time what is done is returned, the rest says so, and nobody
        goes on running; the breaker is told nothing of what was cut."""
        agents = [registered(name) for name in ("quick", "stuck-1", "stuck-2")]
        running = 0

        async def spawn(task: SpawnTask) -> SpawnResult:
            nonlocal running
            running += 1
            try:
                await asyncio.sleep(1.0 if task.agent == "quick" else 100_000)
            finally:
                running -= 1
            return ok("in time")

        began = now()
        with (
            caplog.at_level(logging.WARNING),
            patch("aurora_soar.phases.collect.spawn_with_retry_and_fallback", side_effect=spawn),
        ):
            result = await collect(agents, agent_timeout=20.0)
        assert now() - began == pytest.approx(30.0)
        assert running == 0
        quick, *stuck = result.agent_outputs
        assert (quick.success, quick.output) == (True, "in time")
        for output in stuck:
            assert not output.success
            assert "lobal timeout" in (output.error or "")
        assert result.execution_metadata["failed_subgoals"] == 2
        assert result.execution_metadata["total_duration_ms"] == 30_000
        assert any("partial" in record.getMessage() for record in caplog.records)
        assert breaker.get_health_status("stuck-1")["failure_count"] == 0


class TestFailurePatternDetection:
    async def test_error_pattern_early_termination(self, breaker: CircuitBreaker) -> None:
        """An attempt that was ended early is listed with its reason and the milliseconds."""
        early = failed(
            "Rate limit exceeded",
            termination_reason="Early detection: rate limit pattern detected",
            execution_time=1.25,
        )
        with replaced("spawn_with_retry_and_fallback", lambda task: early):
            result = await collect([registered("rate-limited-agent")], fallback_to_llm=False)
        assert result.execution_metadata["early_terminations"] == [
            {
                "agent_id": "rate-limited-agent",
                "reason": "Early detection: rate limit pattern detected",
                "detection_time": 1250,
            }
        ]
        assert not breaker.is_open("rate-limited-agent")

    async def test_mixed_failure_types(self, breaker: CircuitBreaker) -> None:
        """Rate limit, authentication and timeout are told apart and tracked per agent."""
        said = {
            "rate-agent": ("Rate limit exceeded (429)", "rate_limit"),
            "auth-agent": ("Authentication failed: invalid API key", "auth"),
            "slow-agent": ("Timeout after 60s", "timeout"),
            "crash-agent": ("exit 139", "crash"),
        }

        def script(task: SpawnTask) -> Answer:
            return ok() if task.agent == "fine-agent" else failed(said[str(task.agent)][0])

        agents = [registered(name) for name in [*said, "fine-agent"]]
        with replaced("spawn_with_retry_and_fallback", script):
            result = await collect(agents, fallback_to_llm=False)
        assert [output.error for output in result.agent_outputs] == [
            *(error for error, _ in said.values()),
            None,
        ]
        for name, (_, kind) in said.items():
            assert breaker.get_health_status(name)["failure_types"] == [kind]
        assert breaker.get_health_status("rate-agent")["failure_count"] == 0
        assert breaker.get_health_status("auth-agent")["failure_count"] == 1
        assert result.execution_metadata["failed_subgoals"] == 4


class TestRecoveryMechanisms:
    async def test_retry_with_exponential_backoff(self) -> None:
        """A failing agent is tried again after waits that grow, each up to twice the one before,
        and each attempt is told to the breaker once."""
        breaker = CircuitBreaker(clock=now, failure_threshold=10, fast_fail_threshold=10)
        statuses: list[str] = []
        with replaced("spawn", lambda task: failed("exit 1"), seconds=0.0) as spawn:
            result = await collect(
                [registered("stubborn")],
                max_retries=4,
                fallback_to_llm=False,
                breaker=breaker,
                on_progress=lambda idx, total, agent_id, status: statuses.append(status),
            )
        delays = [
            later - earlier for earlier, later in zip(spawn.times, spawn.times[1:], strict=False)
        ]
        assert len(delays) == 4
        ceilings = [2.0, 4.0, 8.0, 16.0]
        for delay, ceiling in zip(delays, ceilings, strict=True):
            assert ceiling / 2 <= delay <= ceiling
        assert delays == sorted(delays)
        assert [status.partition(" in ")[0] for status in statuses[1:5]] == [
            f"Retry {number}/4" for number in range(1, 5)
        ]
        assert result.execution_metadata["retried_agents"] == ["stubborn"]
        assert breaker.get_health_status("stubborn")["failure_count"] == 5

    async def test_partial_success_handling(self, breaker: CircuitBreaker) -> None:
        """Some failures leave the others' answers as they are, and are counted exactly."""
        agents = [registered(f"agent-{number}") for number in range(10)]

        def script(task: SpawnTask) -> Answer:
            number = int(str(task.agent).rpartition("-")[2])
            return failed(f"no {number}") if number % 3 == 0 else ok(f"yes {number}")

        with replaced("spawn_with_retry_and_fallback", script):
            result = await collect(agents)
        assert [output.output or output.error for output in result.agent_outputs] == [
            f"no {number}" if number % 3 == 0 else f"yes {number}" for number in range(10)
        ]
        assert result.execution_metadata["total_subgoals"] == 10
        assert result.execution_metadata["failed_subgoals"] == 4


class TestEdgeCasesAndBoundaries:
    async def test_empty_agent_list(self, breaker: CircuitBreaker) -> None:
        """F43: nobody to ask is an empty success with every key of the metadata."""
        with patch("aurora_soar.phases.collect.spawn_with_retry_and_fallback") as recovery:
            result = await execute_agents([], [], {})
        recovery.assert_not_called()
        assert list(result.agent_outputs) == []
        assert result.fallback_agents == []
        assert set(result.execution_metadata) == {
            "total_subgoals",
            "failed_subgoals",
            "fallback_count",
            "spawn_count",
            "spawned_agents",
            "circuit_blocked",
            "circuit_blocked_count",
            "early_terminations",
            "retried_agents",
            "total_duration_ms",
        }
        assert not any(result.execution_metadata.values())

    async def test_single_agent_execution(self, breaker: CircuitBreaker) -> None:
        """One agent gets its subgoal, and its answer comes back whole."""
        with replaced("spawn", lambda task: ok("the answer")) as spawn:
            result = await collect([registered("solo")], ["Count the files"])
        (task,) = spawn.tasks
        assert (task.agent, task.prompt) == ("solo", "Count the files")
        (output,) = result.agent_outputs
        assert (output.subgoal_index, output.agent_id) == (0, "solo")
        assert (output.success, output.output, output.error) == (True, "the answer", None)
        assert result.execution_metadata["total_subgoals"] == 1

    async def test_very_high_concurrency(self, breaker: CircuitBreaker) -> None:
        """A hundred and fifty agents run at once where that many may, each with its own answer."""
        agents = [registered(f"agent-{number}") for number in range(150)]
        with replaced("spawn", lambda task: ok(f"by {task.agent}")) as spawn:
            result = await collect(agents, max_concurrent=150)
        assert spawn.most_active == 150
        assert [output.output for output in result.agent_outputs] == [
            f"by agent-{number}" for number in range(150)
        ]

    async def test_exception_during_spawn(self, breaker: CircuitBreaker) -> None:
        """An exception is a failed output with its message, a crash to the breaker, and no
        trouble for the others."""

        def script(task: SpawnTask) -> Answer:
            return RuntimeError("fork bomb defused") if task.agent == "exploding" else ok()

        with replaced("spawn_with_retry_and_fallback", script):
            result = await collect([registered("exploding"), registered("calm")])
        exploding, calm = result.agent_outputs
        assert (exploding.success, exploding.error) == (False, "fork bomb defused")
        assert calm.success
        assert breaker.get_health_status("exploding")["failure_types"] == ["crash"]
        assert breaker.get_health_status("exploding")["failure_count"] == 1

    async def test_many_agents_complete_in_reasonable_time(self, breaker: CircuitBreaker) -> None:
        """A hundred agents of 100 ms take as long as their waves: ten with ten slots; and ten
        tasks of a broken agent of 60 s cost at most the seed's 120 s, one at a time."""
        agents = [registered(f"agent-{number}") for number in range(100)]
        began = now()
        with replaced("spawn", lambda task: ok(), seconds=0.1) as spawn:
            result = await collect(agents, max_concurrent=10)
        assert len(spawn.tasks) == 100
        assert all(output.success for output in result.agent_outputs)
        assert now() - began == pytest.approx(1.0)

        began = now()
        broken = [registered("broken-agent")] * 10
        with replaced("spawn", lambda task: failed("Timeout after 60s"), seconds=60.0) as spawn:
            result = await collect(
                broken,
                max_concurrent=1,
                max_retries=0,
                fallback_to_llm=False,
                global_timeout=10_000.0,
                breaker=CircuitBreaker(clock=now),
            )
        assert len(spawn.tasks) == 2
        assert now() - began == pytest.approx(120.0)
        assert result.execution_metadata["circuit_blocked_count"] == 8
