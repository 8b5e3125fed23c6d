"""Invariants of `execute_agents` under drawn plans and drawn schedules, in virtual time."""

import asyncio
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import AgentInfo, CollectResult, Outcome, execute_agents
from aurora_spawner import SpawnResult, SpawnTask
from aurora_spawner.testing import run_virtual


@st.composite
def plans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Subgoals that depend on some of those before them, take their time, succeed or fail."""
    return [
        {
            "id": f"s{number}",
            "description": str(number),
            "depends_on": sorted(
                draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else ()
            ),
            "on_dependency_failure": draw(st.sampled_from(["skip", "run"])),
            "seconds": draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])),
            "good": draw(st.sampled_from([True, True, False])),
        }
        for number in range(draw(st.integers(0, 12)))
    ]


class Stage:
    """Stands in for `spawn_with_retry_and_fallback`; remembers when each subgoal ran."""

    def __init__(self, plan: list[dict[str, Any]]) -> None:
        self.plan = plan
        self.active: set[int] = set()
        self.most_active = 0
        self.began: dict[int, float] = {}
        self.ended: dict[int, float] = {}

    async def spawn(self, task: SpawnTask) -> SpawnResult:
        number = int(str(task.agent))
        loop = asyncio.get_running_loop()
        assert number not in self.began, "a subgoal was started twice"
        self.began[number] = loop.time()
        self.active.add(number)
        self.most_active = max(self.most_active, len(self.active))
        try:
            await asyncio.sleep(self.plan[number]["seconds"])
        finally:
            self.active.discard(number)
            self.ended[number] = loop.time()
        if self.plan[number]["good"]:
            return SpawnResult(success=True, output=f"did {number}", error=None, exit_code=0)
        return SpawnResult(success=False, output="", error=f"no {number}", exit_code=1)

    async def run(self, limit: int, global_timeout: float) -> CollectResult:
        agents = [(number, AgentInfo(str(number))) for number in range(len(self.plan))]
        with patch("aurora_soar.phases.collect.spawn_with_retry_and_fallback", new=self.spawn):
            return await execute_agents(
                agents,
                self.plan,
                {},
                max_concurrent=limit,
                global_timeout=global_timeout,
                breaker=CircuitBreaker(),
            )


@settings(max_examples=150, deadline=None)
@given(plan=plans(), limit=st.integers(1, 6), seed=st.integers(0, 2**16))
def test_every_assignment_gets_its_outcome(
    plan: list[dict[str, Any]], limit: int, seed: int
) -> None:
    """One output per assignment in their order; nothing runs before what it depends on, beside
    more than the limit, or after a failed dependency that it does not tolerate."""
    stage = Stage(plan)
    result = run_virtual(stage.run(limit, 1e6), seed=seed)
    assert [output.subgoal_index for output in result.agent_outputs] == list(range(len(plan)))
    assert stage.most_active <= limit
    for number, (subgoal, output) in enumerate(zip(plan, result.agent_outputs, strict=True)):
        needs = subgoal["depends_on"]
        broken = [need for need in needs if not result.agent_outputs[need].success]
        if broken and subgoal["on_dependency_failure"] == "skip":
            assert output.outcome is Outcome.SKIPPED
            assert output.error == f"needs {', '.join(f's{need}' for need in broken)}"
            assert number not in stage.began
            continue
        assert output.outcome is (Outcome.OK if subgoal["good"] else Outcome.FAILED)
        assert all(
            stage.ended[need] <= stage.began[number] for need in needs if need in stage.ended
        )
    assert result.execution_metadata["failed_subgoals"] == sum(
        not output.success for output in result.agent_outputs
    )


@settings(max_examples=100, deadline=None)
@given(
    plan=plans(),
    limit=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    cut=st.sampled_from([0.25, 0.75, 2.0]),
)
def test_the_global_timeout_leaves_nothing_running(
    plan: list[dict[str, Any]], limit: int, seed: int, cut: float
) -> None:
    """F44: at the global timeout what is done stays, what is not says so, and nothing goes on."""
    stage = Stage(plan)

    async def main() -> CollectResult:
        result = await stage.run(limit, cut)
        assert asyncio.get_running_loop().time() <= cut
        assert not stage.active
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    result = run_virtual(main(), seed=seed)
    assert len(result.agent_outputs) == len(plan)
    for number, output in enumerate(result.agent_outputs):
        if output.outcome is Outcome.UNFINISHED:
            assert "lobal timeout" in (output.error or "")
            assert stage.ended.get(number, cut) == cut
        elif output.outcome is not Outcome.SKIPPED:
            assert stage.ended[number] <= cut
