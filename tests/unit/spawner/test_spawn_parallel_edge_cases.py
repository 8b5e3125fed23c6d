"""Edge cases of `spawn_parallel`, with the spawner's own `spawn` replaced.

Runs in virtual time: a task that takes ten seconds takes none, and the loop's clock says how long
it would have taken.
"""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import AsyncMock, patch

import pytest

from aurora_spawner import SpawnResult, SpawnTask, spawn_parallel

pytestmark = pytest.mark.asyncio


def answer(output: str) -> SpawnResult:
    return SpawnResult(success=True, output=output, error=None, exit_code=0)


def failure(error: str) -> SpawnResult:
    return SpawnResult(success=False, output="", error=error, exit_code=1)


def numbered(count: int) -> list[SpawnTask]:
    return [SpawnTask(prompt=f"task {number}") for number in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


class Agent:
    """Stands in for `spawn`: takes its time, answers with the prompt, remembers what it saw."""

    def __init__(self, seconds: float | list[float] = 0.1) -> None:
        self.seconds = seconds
        self.started: list[str] = []
        self.finished: list[str] = []
        self.active = 0
        self.most_active = 0

    async def spawn(self, task: SpawnTask, **kwargs: object) -> SpawnResult:
        position = len(self.started)
        self.started.append(task.prompt)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            seconds = self.seconds
            await asyncio.sleep(seconds[position] if isinstance(seconds, list) else seconds)
            return self.respond(task)
        finally:
            self.active -= 1
            self.finished.append(task.prompt)

    def respond(self, task: SpawnTask) -> SpawnResult:
        return answer(f"answer to {task.prompt}")


@contextmanager
def spawning(agent: Agent) -> Iterator[AsyncMock]:
    """Put `agent` in the place of `spawn`, and insist that it was really asked."""
    with patch("aurora_spawner.spawner.spawn", side_effect=agent.spawn) as spawn:
        yield spawn
    assert spawn.await_count > 0, "the replaced spawn was never called"


class TestConcurrencyControl:
    async def test_max_concurrent_enforced(self) -> None:
        """Never more than `max_concurrent` run at once, and the slots are all used."""
        agent = Agent()
        with spawning(agent):
            results = await spawn_parallel(numbered(20), max_concurrent=3)
        assert len(results) == 20
        assert agent.most_active == 3

    async def test_single_concurrent_slot(self) -> None:
        """One slot runs the tasks one after the other, in their order."""
        agent = Agent()
        began = now()
        with spawning(agent):
            await spawn_parallel(numbered(5), max_concurrent=1)
        assert agent.most_active == 1
        assert agent.started == agent.finished == [f"task {number}" for number in range(5)]
        assert now() - began == pytest.approx(5 * 0.1)

    async def test_zero_max_concurrent_raises(self) -> None:
        """F37: a limit below one is refused before anything is started."""
        with patch("aurora_spawner.spawner.spawn") as spawn:
            for limit in (0, -1):
                for tasks in (numbered(2), []):
                    with pytest.raises(ValueError, match="max_concurrent"):
                        await spawn_parallel(tasks, max_concurrent=limit)
        spawn.assert_not_called()

    async def test_unlimited_concurrency(self) -> None:
        """A limit above the number of tasks runs all of them at once."""
        agent = Agent()
        began = now()
        with spawning(agent):
            await spawn_parallel(numbered(50), max_concurrent=1000)
        assert agent.most_active == 50
        assert now() - began == pytest.approx(0.1)


class TestResultOrdering:
    async def test_results_match_input_order(self) -> None:
        """Results stand in the order of the tasks, whichever ends first."""
        delays = [seconds / 100 for seconds in range(20, 0, -1)]
        random.shuffle(delays)
        agent = Agent(delays)
        tasks = numbered(20)
        with spawning(agent):
            results = await spawn_parallel(tasks, max_concurrent=20)
        assert agent.finished != agent.started, "nothing overtook anything"
        assert [result.output for result in results] == [
            f"answer to {task.prompt}" for task in tasks
        ]

    async def test_mixed_success_failure_order(self) -> None:
        """A failed task's result stands at the task's own place."""

        class Moody(Agent):
            def respond(self, task: SpawnTask) -> SpawnResult:
                odd = int(task.prompt.split()[1]) % 2
                return failure(task.prompt) if odd else answer(task.prompt)

        with spawning(Moody([0.3, 0.1, 0.2, 0.05, 0.25, 0.15])):
            results = await spawn_parallel(numbered(6), max_concurrent=6)
        assert [result.success for result in results] == [True, False] * 3
        assert [result.output or result.error for result in results] == [
            f"task {number}" for number in range(6)
        ]


class TestExceptionHandling:
    async def test_exception_converts_to_failed_result(self) -> None:
        """An exception becomes a failed result that keeps its message, or its name without one."""

        class Exploding(Agent):
            def respond(self, task: SpawnTask) -> SpawnResult:
                raise {"task 0": RuntimeError, "task 1": ValueError}.get(task.prompt, TypeError)(
                    *([] if task.prompt == "task 3" else [f"blew up: {task.prompt}"])
                )

        with spawning(Exploding()):
            results = await spawn_parallel(numbered(4))
        assert [result.error for result in results] == [
            "blew up: task 0",
            "blew up: task 1",
            "blew up: task 2",
            "TypeError",
        ]
        for result in results:
            assert (result.success, result.output, result.exit_code) == (False, "", -1)

    async def test_multiple_exceptions_handled(self) -> None:
        """Some tasks that raise take nothing from the others."""

        class Fragile(Agent):
            def respond(self, task: SpawnTask) -> SpawnResult:
                number = int(task.prompt.split()[1])
                if number % 3 == 0:
                    raise RuntimeError(f"broke at {number}")
                return answer(task.prompt)

        agent = Fragile()
        with spawning(agent):
            results = await spawn_parallel(numbered(10), max_concurrent=4)
        assert len(agent.started) == 10
        for number, result in enumerate(results):
            if number % 3 == 0:
                assert (result.success, result.error) == (False, f"broke at {number}")
            else:
                assert (result.success, result.output) == (True, f"task {number}")

    async def test_asyncio_cancellation(self) -> None:
        """A cancellation, from outside or inside, goes through after every sibling has ended."""
        agent = Agent(seconds=3600)
        with spawning(agent):
            call = asyncio.create_task(spawn_parallel(numbered(8), max_concurrent=4))
            await asyncio.sleep(1)
            assert agent.active == 4
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert agent.active == 0
        assert len(agent.started) == 4

        class Quitting(Agent):
            def respond(self, task: SpawnTask) -> SpawnResult:
                raise asyncio.CancelledError

        quitting = Quitting([1.0, 50.0, 50.0])
        with spawning(quitting), pytest.raises(asyncio.CancelledError):
            await spawn_parallel(numbered(3), max_concurrent=3)
        assert quitting.active == 0
        assert now() < 10, "the siblings were waited for instead of being ended"


class TestProgressCallback:
    async def test_progress_callback_called(self) -> None:
        """Each task is reported when it starts and when it is done, with the right total."""
        calls: list[tuple[int, int, str, str]] = []
        tasks = [SpawnTask(prompt=f"task {number}", agent=f"agent-{number}") for number in range(5)]
        with spawning(Agent()):
            await spawn_parallel(
                tasks, max_concurrent=2, on_progress=lambda *call: calls.append(call)
            )
        assert len(calls) == 2 * 5
        assert {total for _, total, _, _ in calls} == {5}
        for idx in range(1, 6):
            own = [(name, status) for number, _, name, status in calls if number == idx]
            assert own[0] == (f"agent-{idx - 1}", "Starting")
            assert own[1][0] == f"agent-{idx - 1}"
            assert own[1][1].startswith("Completed (")

    async def test_progress_callback_exception_ignored(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """F39: a callback that raises is logged once, and every task still runs."""
        calls = 0

        def raising(idx: int, total: int, agent_id: str, status: str) -> None:
            nonlocal calls
            calls += 1
            raise RuntimeError("the display is gone")

        agent = Agent()
        with spawning(agent):
            results = await spawn_parallel(numbered(4), on_progress=raising)
        assert [result.success for result in results] == [True] * 4
        assert calls == 8
        assert len(caplog.records) == 1


class TestEmptyAndEdgeCases:
    async def test_empty_task_list(self) -> None:
        """No tasks give an empty list, and nothing is started."""
        with patch("aurora_spawner.spawner.spawn") as spawn:
            assert await spawn_parallel([]) == []
            assert await spawn_parallel(iter(())) == []
        spawn.assert_not_called()

    async def test_single_task(self) -> None:
        """One task is a list of one result, from one call."""
        task = SpawnTask(prompt="alone")
        with spawning(Agent()) as spawn:
            results = await spawn_parallel([task])
        assert [result.output for result in results] == ["answer to alone"]
        spawn.assert_awaited_once_with(task)

    async def test_all_tasks_fail(self) -> None:
        """When everything fails, every failure is told, and none more than once."""

        class Failing(Agent):
            def respond(self, task: SpawnTask) -> SpawnResult:
                return failure(f"no luck with {task.prompt}")

        agent = Failing()
        with spawning(agent):
            results = await spawn_parallel(numbered(10))
        assert len(agent.started) == 10
        assert [result.error for result in results] == [
            f"no luck with task {number}" for number in range(10)
        ]

    async def test_very_large_task_list(self) -> None:
        """Thousands of tasks take as long as their waves, and each gets its own result."""
        agent = Agent(seconds=1.0)
        began = now()
        with spawning(agent):
            results = await spawn_parallel(numbered(5000), max_concurrent=100)
        assert [result.output for result in results] == [
            f"answer to task {number}" for number in range(5000)
        ]
        assert agent.most_active == 100
        assert now() - began == pytest.approx(50.0)


class TestKwargsPassthrough:
    async def test_tool_and_model_passed(self) -> None:
        """`spawn` gets the task itself and the keywords, nothing added and nothing lost."""
        tasks = numbered(3)
        with spawning(Agent()) as spawn:
            await spawn_parallel(tasks, tool="claude", model="opus")
        assert spawn.await_count == 3
        for call, task in zip(spawn.await_args_list, tasks, strict=True):
            assert call.args == (task,)
            assert call.args[0] is task
            assert call.kwargs == {"tool": "claude", "model": "opus"}

    async def test_config_passed(self) -> None:
        """A config reaches every `spawn` as the same object, unchanged."""
        config = {"spawner": {"tool": "codex"}, "other": [1, 2]}
        with spawning(Agent()) as spawn:
            await spawn_parallel(numbered(2), config=config)
        assert spawn.await_count == 2
        for call in spawn.await_args_list:
            assert call.kwargs["config"] is config
            assert set(call.kwargs) == {"config"}
        assert config == {"spawner": {"tool": "codex"}, "other": [1, 2]}


class TestTimingAndPerformance:
    async def test_parallel_faster_than_serial(self) -> None:
        """Ten tasks of 100 ms: 1,000 ms serially, 5 times faster with five slots, 10 with ten."""
        took = {}
        for limit in (1, 5, 10):
            began = now()
            with spawning(Agent(seconds=0.1)):
                await spawn_parallel(numbered(10), max_concurrent=limit)
            took[limit] = now() - began
        assert took[1] == pytest.approx(1.0)
        assert took[1] / took[5] == pytest.approx(5)
        assert took[1] / took[10] == pytest.approx(10)
        assert took[5] < took[1] / 2

    async def test_respects_task_execution_time(self) -> None:
        """Tasks of very different length all complete, and the longest sets the time."""
        durations = [0.01, 5.0, 0.5, 0.1, 2.0]
        agent = Agent(durations)
        began = now()
        with spawning(agent):
            results = await spawn_parallel(numbered(5), max_concurrent=5)
        assert all(result.success for result in results)
        assert agent.finished == ["task 0", "task 3", "task 2", "task 4", "task 1"]
        assert now() - began == pytest.approx(max(durations))
