"""Collect beyond the seed's cases, in virtual time; `collect.spawn` is played by a script."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import (
    Agent,
    AgentInfo,
    AgentRegistry,
    BudgetWarned,
    CircuitChanged,
    CollectResult,
    Outcome,
    RunEvent,
    SubgoalEvent,
    SubgoalStarted,
    ToolParked,
    execute_agents,
)
from aurora_soar.graph import critical_path
from aurora_soar.phases import collect
from aurora_spawner import FailureType, FallbackStarted, ProcessResult, SpawnResult, SpawnTask
from aurora_spawner.testing import run_virtual

OK = SpawnResult(success=True, output="done", error=None, exit_code=0, tool="claude")


def failed(error: str = "boom", kind: FailureType = FailureType.CRASH, **more: Any) -> SpawnResult:
    return SpawnResult(
        success=False,
        output="",
        error=error,
        exit_code=1,
        failure_type=kind,
        tool=more.pop("tool", "claude"),
        **more,
    )


def now() -> float:
    return asyncio.get_running_loop().time()


class Stage:
    """Plays every attempt: takes its seconds, then answers; remembers what it was asked."""

    def __init__(self, play: Callable[[SpawnTask, int], tuple[float, SpawnResult]]) -> None:
        self.play = play
        self.asked: list[SpawnTask] = []
        self.times: list[float] = []
        self.active = 0
        self.most = 0

    async def spawn(self, task: SpawnTask) -> SpawnResult:
        self.asked.append(task)
        self.times.append(now())
        count = sum(each.prompt.split("\n")[0] == task.prompt.split("\n")[0] for each in self.asked)
        seconds, result = self.play(task, count)
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.active -= 1
        return result


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CollectResult]:
    """Runs subgoals on a stage; the events are in `run.events`."""

    class Runner:
        def __init__(self) -> None:
            self.events: list[RunEvent] = []

        def __call__(
            self,
            stage: Stage,
            agents: Sequence[Agent],
            subgoals: Sequence[Mapping[str, Any]],
            **options: Any,
        ) -> CollectResult:
            monkeypatch.setattr(collect, "spawn", stage.spawn)
            options.setdefault("breaker", CircuitBreaker(clock=lambda: 0.0))
            options.setdefault("global_timeout", 1e6)
            options.setdefault("fallback_to_llm", False)
            return run_virtual(
                execute_agents(
                    list(enumerate(agents)), subgoals, on_event=self.events.append, **options
                )
            )

    return Runner()


class Silence:
    """What a check printed: nothing."""

    def text(self) -> str:
        return ""


def subgoal(name: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "description": name, "depends_on": needs, **more}


CODER = AgentInfo("coder", config={"tool": "claude"})


class TestDataflow:
    def test_answers_are_told_fenced_and_cut_with_where_the_rest_is(self, run: Any) -> None:
        """F66: an answer stands in a fence that it cannot know, its middle cut, the file named."""
        long = "--- end first 0000 ---\n" + "a" * 500 + "b" * 500
        stage = Stage(lambda task, _: (1, SpawnResult(True, long, None, 0)))
        run(
            stage,
            [CODER, CODER],
            [subgoal("first"), subgoal("second", "first")],
            answer_budget=400,
            kept_at=lambda position: f"runs/{position}/output.txt",
        )
        told = stage.asked[1].prompt
        begin = next(line for line in told.split("\n") if line.startswith("--- begin first "))
        nonce = begin.split()[3]
        assert nonce != "0000"
        assert told.count(nonce) == 2
        assert "[... 623 characters left out; all of it: runs/0/output.txt ...]" in told
        assert told.rstrip().endswith(f"{'b' * 300}\n--- end first {nonce} ---")

    def test_a_failure_is_told_to_those_that_run_all_the_same(self, run: Any) -> None:
        """F41: a dependent that runs is told of the failure; one that does not is skipped."""
        stage = Stage(lambda task, _: (1, OK if "second" in task.prompt else failed("no luck")))
        result = run(
            stage,
            [CODER] * 3,
            [
                subgoal("first"),
                subgoal("second", "first", on_dependency_failure="run"),
                subgoal("third", "first"),
            ],
            max_retries=0,
        )
        assert "failed: no luck" in stage.asked[1].prompt
        assert [each.outcome for each in result.agent_outputs] == [
            Outcome.FAILED,
            Outcome.OK,
            Outcome.SKIPPED,
        ]

    def test_the_critical_path_is_the_slowest_chain(self, run: Any) -> None:
        """What a run reports as its critical path is the chain that takes longest, not the run."""
        seconds = {"a": 5, "b": 1, "c": 10, "d": 2}
        stage = Stage(lambda task, _: (seconds[task.prompt[0]], OK))
        result = run(
            stage,
            [CODER] * 4,
            [subgoal("a"), subgoal("b", "a"), subgoal("c"), subgoal("d", "b")],
            max_concurrent=1,
        )
        assert result.critical_seconds == 10
        assert critical_path([(), (0,), (), (1,)], [5, 1, 10, 2]) == [2]
        assert critical_path([(), (0,), (), (1,)], [5, 1, 7, 2]) == [0, 1, 3]
        assert critical_path([], []) == []


class TestFallbackAgents:
    registry = AgentRegistry(
        [
            AgentInfo("b", config={"tool": "codex", "fallback": "c"}),
            AgentInfo("c", config={"tool": "gemini"}),
        ]
    )
    first = AgentInfo("a", config={"tool": "claude", "fallback": "b"})

    def test_the_next_one_is_asked_when_one_has_failed_for_good(self, run: Any) -> None:
        """Each agent of the chain has its attempts; whose answer it is, is said."""
        stage = Stage(lambda task, _: (1, OK if task.agent == "c" else failed(f"no {task.agent}")))
        result = run(stage, [self.first], [subgoal("x")], registry=self.registry, max_retries=1)
        (output,) = result.agent_outputs
        assert [task.agent for task in stage.asked] == ["a", "a", "b", "b", "c"]
        assert [task.tool for task in stage.asked[::2]] == ["claude", "codex", "gemini"]
        assert (output.success, output.fallback, output.answered_by) == (True, True, "c")
        assert output.result is not None
        assert output.result.original_agent == "a"
        asked = [e.event for e in run.events if isinstance(e, SubgoalEvent)]
        assert [e.agent for e in asked if isinstance(e, FallbackStarted)] == ["b", "c"]
        assert sum(isinstance(event, SubgoalStarted) for event in run.events) == 1

    def test_each_failure_counts_for_its_own_agent(self, run: Any) -> None:
        """The circuit of each agent hears of its own attempts and of no others."""
        breaker = CircuitBreaker(clock=lambda: 0.0)
        stage = Stage(lambda task, _: (1, failed()))
        run(
            stage,
            [self.first],
            [subgoal("x")],
            registry=self.registry,
            max_retries=0,
            breaker=breaker,
        )
        counts = [breaker.get_health_status(name)["failure_count"] for name in "abc"]
        assert counts == [1, 1, 1]

    def test_the_plain_llm_is_asked_after_the_last_of_them(self, run: Any) -> None:
        """With a fallback to the LLM, it comes after every agent of the chain has failed."""
        stage = Stage(lambda task, _: (1, OK if task.agent is None else failed(str(task.agent))))
        result = run(
            stage,
            [self.first],
            [subgoal("x")],
            registry=self.registry,
            max_retries=0,
            fallback_to_llm=True,
        )
        (output,) = result.agent_outputs
        assert [task.agent for task in stage.asked] == ["a", "b", "c", None]
        assert (output.success, output.answered_by) == (True, None)
        assert result.fallback_agents == ["a"]

    def test_an_open_circuit_asks_the_next_one(self, run: Any) -> None:
        """Where the agent's circuit is open its fallback answers, and the block is counted."""
        breaker = CircuitBreaker(clock=lambda: 0.0)
        breaker.force_open("a")
        stage = Stage(lambda task, _: (1, OK))
        result = run(stage, [self.first], [subgoal("x")], registry=self.registry, breaker=breaker)
        assert [task.agent for task in stage.asked] == ["b"]
        assert result.agent_outputs[0].answered_by == "b"
        assert result.execution_metadata["circuit_blocked_count"] == 1

    def test_if_all_fail_the_first_error_stands_first(self, run: Any) -> None:
        """The error of a chain begins with the agent's own and goes on with the others'."""
        stage = Stage(lambda task, _: (1, failed(f"no {task.agent}")))
        result = run(stage, [self.first], [subgoal("x")], registry=self.registry, max_retries=0)
        error = "no a; fallback to b failed: no b; fallback to c failed: no c"
        assert result.agent_outputs[0].error == error


class TestProviderLimits:
    def test_a_limit_parks_its_tool_and_counts_for_nobody(self, run: Any) -> None:
        """F50: the limited subgoal and the others of its tool wait and finish; nobody is blamed."""
        limit = failed("429", FailureType.RATE_LIMIT, retry_after=600.0)
        stage = Stage(lambda task, count: (1, limit if task.prompt == "s0" and count == 1 else OK))
        breaker = CircuitBreaker(clock=lambda: 0.0)
        result = run(
            stage,
            [CODER] * 4 + [AgentInfo("other", config={"tool": "codex"})],
            [subgoal(f"s{n}") for n in range(5)],
            max_concurrent=1,
            max_retries=0,
            breaker=breaker,
        )
        assert all(output.success for output in result.agent_outputs)
        assert stage.times == pytest.approx([0, 1, 601, 602, 603, 604], abs=0.1)
        assert stage.asked[1].agent == "other"
        assert breaker.get_health_status("coder")["failure_count"] == 0
        assert ToolParked("claude", 600, "429") in run.events
        assert result.agent_outputs[0].retries == 1

    def test_parked_time_moves_a_limit_that_nobody_set(self, run: Any) -> None:
        """The global timeout goes on while a tool is parked, or does not, as the caller says."""
        limit = failed("429", FailureType.RATE_LIMIT, retry_after=600.0)
        for counts, outcome in [(True, Outcome.FAILED), (False, Outcome.OK)]:
            stage = Stage(lambda task, count: (1, limit if count == 1 else OK))
            result = run(
                stage,
                [CODER],
                [subgoal("x")],
                global_timeout=100.0,
                parked_time_counts=counts,
            )
            assert result.agent_outputs[0].outcome is outcome

    def test_a_stop_ends_the_waiting_for_a_provider(self, run: Any) -> None:
        """F28: once nothing new is to start, nobody waits for a parked tool any more."""
        limit = failed("429", FailureType.RATE_LIMIT, retry_after=36_000.0)

        async def play() -> tuple[CollectResult, float]:
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(50, stop.set)
            result = await execute_agents(
                [(0, CODER), (1, CODER)],
                [subgoal("a"), subgoal("b")],
                max_concurrent=1,
                global_timeout=1e6,
                breaker=CircuitBreaker(),
                stop=stop,
            )
            return result, now()

        stage = Stage(lambda task, _: (1, limit))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(collect, "spawn", stage.spawn)
            result, ended = run_virtual(play())
        assert result.agent_outputs[1].error == "the run was stopped"
        # The first one sleeps until its own retry, which nobody grants any more.
        assert ended <= 36_002


class TestBudget:
    def test_when_it_is_reached_nothing_starts_and_what_is_done_stays(self, run: Any) -> None:
        """Finished answers stay, the rest is skipped with the reason, and the result says so."""
        answer = SpawnResult(True, "x", None, 0, tool="claude", cost_usd=0.4)
        stage = Stage(lambda task, _: (1, answer))
        result = run(
            stage,
            [CODER] * 4,
            [subgoal(f"s{n}") for n in range(4)],
            max_concurrent=1,
            budget_usd=1.0,
        )
        outcomes = [output.outcome for output in result.agent_outputs]
        assert outcomes == [Outcome.OK, Outcome.OK, Outcome.SKIPPED, Outcome.SKIPPED]
        assert result.agent_outputs[3].error == "budget of $1.00 reached ($0.80 spent)"
        assert result.budget_reached
        assert BudgetWarned(0.8, 1.0, "USD") in run.events

    def test_a_retry_that_does_not_fit_is_not_started(self, run: Any) -> None:
        """An attempt that would exceed the budget does not start; the last error stands."""
        stage = Stage(lambda task, _: (1, failed("boom", cost_usd=0.6)))
        result = run(stage, [CODER], [subgoal("x")], budget_usd=1.0)
        assert len(stage.asked) == 1
        assert result.agent_outputs[0].error == "boom"

    def test_there_is_one_budget(self, run: Any) -> None:
        """Two budgets are refused before anything starts."""
        with pytest.raises(ValueError, match="two budgets"):
            run(Stage(lambda *_: (1, OK)), [], [], budget_usd=1.0, budget_tokens=5)


def test_the_circuits_of_a_run_are_told(run: Any) -> None:
    """An opening circuit is an event of the run, with its failures and the time of its probe."""
    stage = Stage(lambda task, _: (1, failed()))
    run(stage, [CODER], [subgoal("x")])
    assert CircuitChanged("coder", "open", 2, 120.0) in run.events


def test_a_probe_is_the_only_one_until_its_check_has_ended(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F47: a probe whose check takes as long as its attempt may lets nobody else in meanwhile."""

    async def check(command: Sequence[str], **rest: Any) -> ProcessResult:
        await asyncio.sleep(100)
        return ProcessResult(exit_code=0, stdout=Silence(), stderr=Silence())

    monkeypatch.setattr("aurora_soar.phases.attempts.run_process", check)
    takes = {"opens": 1.0, "a while": 2.0, "longer": 170.0, "probe": 90.0, "beside": 1.0}
    opens = failed()
    stage = Stage(
        lambda task, _: (takes[task.prompt.split("\n")[0]], opens if task.prompt == "opens" else OK)
    )
    waiter = AgentInfo("waiter", config={"tool": "claude"})
    result = run(
        stage,
        [CODER, waiter, waiter, CODER, CODER],
        [
            subgoal("opens", retries=0),
            subgoal("a while"),
            subgoal("longer"),
            subgoal("probe", "a while", check=["slow"]),
            subgoal("beside", "longer"),
        ],
        agent_timeout=100.0,
        breaker=CircuitBreaker(1, reset_timeout=1.0, clock=now),
    )
    outcomes = [output.outcome for output in result.agent_outputs]
    assert outcomes == [Outcome.FAILED, Outcome.OK, Outcome.OK, Outcome.OK, Outcome.BLOCKED]


def test_permissions_are_only_ever_narrowed(run: Any) -> None:
    """F71: an agent's own permissions hold where they are narrower than the caller's."""
    stage = Stage(lambda task, _: (1, OK))
    agents = [
        AgentInfo("narrow", config={"permissions": "read-only"}),
        AgentInfo("wide", config={"permissions": "full-access"}),
        AgentInfo("plain"),
    ]
    run(
        stage,
        agents,
        [subgoal("a"), subgoal("b"), subgoal("c")],
        permissions="workspace-write",
    )
    granted = {task.agent: task.permissions for task in stage.asked}
    assert granted == {
        "narrow": "read-only",
        "wide": "workspace-write",
        "plain": "workspace-write",
    }


def test_a_known_result_takes_no_turn_and_asks_nobody(run: Any) -> None:
    """What a memo knows is the output; nothing is started, counted or waited for."""

    async def memo(
        position: int, task: SpawnTask, more: Mapping[str, str], ask: Any
    ) -> SpawnResult:
        seen.append((position, task.prompt, dict(more)))
        return await ask(None) if position == 2 else OK

    seen: list[tuple[int, str, dict[str, str]]] = []
    stage = Stage(lambda task, _: (1, OK))
    result = run(
        stage,
        [CODER, CODER, CODER],
        [subgoal("a"), subgoal("b", "a", check=["true"]), subgoal("c")],
        memo=memo,
        max_retries=0,
        global_timeout=5.0,
    )
    assert [each.prompt.split("\n")[0] for each in stage.asked] == ["c"]
    assert [output.output for output in result.agent_outputs] == ["done"] * 3
    assert sum(isinstance(event, SubgoalStarted) for event in run.events) == 1
    # What decides the answer holds no nonce: the same question is the same tomorrow.
    b = (1, "b", {"check": "true", "result of a": "done"})
    assert sorted(seen) == [(0, "a", {}), b, (2, "c", {})]


def test_a_critical_failure_stops_before_it_is_remembered(run: Any) -> None:
    """Nobody starts in the time that the memo takes to keep the failure of a critical subgoal."""

    async def memo(position: int, task: SpawnTask, more: Any, ask: Any) -> SpawnResult:
        result: SpawnResult = await ask(None)
        await asyncio.sleep(1)
        return result

    stage = Stage(lambda task, _: (1, failed()))
    result = run(
        stage,
        [CODER, CODER],
        [subgoal("a", is_critical=True), subgoal("b")],
        memo=memo,
        max_concurrent=1,
        max_retries=0,
    )
    assert [each.prompt for each in stage.asked] == ["a"]
    assert [output.outcome for output in result.agent_outputs] == [Outcome.FAILED, Outcome.SKIPPED]
    assert result.agent_outputs[1].error == 'critical subgoal "a" did not succeed'


def test_sixty_subgoals_are_done_in_the_time_of_their_critical_path(
    run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One truthful output each, in order, within a tenth of the critical path under the limit."""
    caplog.set_level(logging.CRITICAL)
    subgoals = [subgoal("root")]
    subgoals += [subgoal(f"fan{n}", "root") for n in range(30)]
    subgoals += [subgoal("left", "root"), subgoal("right", "root")]
    subgoals += [subgoal("tip", "left", "right", on_dependency_failure="run")]
    subgoals += [subgoal(f"chain{n}", f"chain{n - 1}" if n else "tip") for n in range(10)]
    subgoals += [subgoal(f"bad{n}", "root", retries=0) for n in range(4)]
    subgoals += [subgoal(f"after-bad{n}", f"bad{n}") for n in range(4)]
    subgoals += [subgoal(f"hang{n}", "root", timeout=20.0, retries=0) for n in range(3)]
    subgoals += [subgoal(f"limited{n}", "root") for n in range(3)]
    subgoals += [subgoal(f"blocked{n}", "root") for n in range(2)]
    assert len(subgoals) == 60
    breaker = CircuitBreaker(clock=lambda: 0.0)
    breaker.force_open("broken")
    agents = []
    for each in subgoals:
        name = each["id"]
        tool = "codex" if name.startswith("limited") else "claude"
        agent_id = "broken" if name.startswith("blocked") else name
        agents.append(AgentInfo(agent_id, config={"tool": tool}))

    def play(task: SpawnTask, count: int) -> tuple[float, SpawnResult]:
        name = task.prompt.split("\n")[0]
        if name.startswith("bad"):
            return 3, failed("exit 1")
        if name.startswith("hang"):
            return task.timeout, failed("Timeout after 20s", FailureType.TIMEOUT)
        if name == "limited0" and count == 1:
            limit = failed("429", FailureType.RATE_LIMIT, retry_after=20.0, tool="codex")
            return 1, limit
        return 10, SpawnResult(True, f"answer of {name}", None, 0, tool=task.tool)

    stage = Stage(play)
    started: list[float] = []

    async def timed() -> CollectResult:
        result = await execute_agents(
            list(enumerate(agents)),
            subgoals,
            max_concurrent=8,
            global_timeout=1e6,
            fallback_to_llm=False,
            breaker=breaker,
        )
        started.append(now())
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collect, "spawn", stage.spawn)
        result = run_virtual(timed())
    expected = {"bad": Outcome.FAILED, "hang": Outcome.FAILED, "blocked": Outcome.BLOCKED}
    for each, output in zip(subgoals, result.agent_outputs, strict=True):
        name = each["id"].rstrip("0123456789")
        wanted = Outcome.SKIPPED if name == "after-bad" else expected.get(name, Outcome.OK)
        assert output.outcome is wanted, each["id"]
        if wanted is Outcome.OK:
            assert output.output == f"answer of {each['id']}"
        else:
            assert output.error
    assert stage.most <= 8
    # root, left or right, tip and ten more, ten seconds each.
    assert result.critical_seconds == pytest.approx(130, abs=1)
    assert started[0] <= 1.1 * result.critical_seconds
