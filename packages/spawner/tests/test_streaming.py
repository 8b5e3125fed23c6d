"""Many tasks as a stream of events."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_spawner import (
    OutputLine,
    RecoverableTask,
    SpawnResult,
    SpawnTask,
    TaskEvent,
    TaskFinished,
    TaskStarted,
    stream,
)
from aurora_spawner.testing import FakeAgent, no_leaks, run_virtual, survivors


def answer(text: str) -> SpawnResult:
    return SpawnResult(success=True, output=text, error=None, exit_code=0)


class Agents:
    """Stands in for `spawn`."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.active = 0
        self.most_active = 0
        self.started = 0

    async def spawn(self, task: SpawnTask, **more: object) -> SpawnResult:
        self.started += 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(self.seconds)
            if task.prompt == "raise":
                raise RuntimeError("no")
            return answer(task.prompt)
        finally:
            self.active -= 1


@settings(max_examples=50, deadline=None)
@given(count=st.integers(0, 30), limit=st.integers(1, 8), seed=st.integers(0, 1000))
def test_every_task_starts_and_finishes_once(count: int, limit: int, seed: int) -> None:
    """Each task is told started once and then finished once, with its own result; the limit is
    kept."""
    agents = Agents()

    async def main() -> list[TaskStarted | TaskEvent | TaskFinished]:
        tasks = (SpawnTask(str(number)) for number in range(count))
        async with stream(tasks, max_concurrent=limit) as events:
            return [event async for event in events]

    with patch("aurora_spawner.spawner.spawn", agents.spawn):
        events = run_virtual(main(), seed=seed)
    started = [event.index for event in events if isinstance(event, TaskStarted)]
    finished = {event.index: event for event in events if isinstance(event, TaskFinished)}
    assert sorted(started) == sorted(finished) == list(range(count))
    assert all(event.result.output == str(index) for index, event in finished.items())
    assert agents.most_active <= limit


def test_endless_input_and_a_slow_reader() -> None:
    """Endless input is drawn no further ahead than the reader follows, and leaving the block ends
    what runs."""
    agents = Agents(seconds=0.01)
    drawn = 0

    def endless() -> Iterator[SpawnTask]:
        nonlocal drawn
        for number in itertools.count():
            drawn += 1
            yield SpawnTask(str(number))

    async def main() -> None:
        seen = 0
        async with stream(endless(), max_concurrent=3) as events:
            async for event in events:
                await asyncio.sleep(100)
                seen += isinstance(event, TaskFinished)
                if seen == 50:
                    break
        assert drawn <= seen + 16 * 3 + 3
        assert agents.active == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with patch("aurora_spawner.spawner.spawn", agents.spawn):
        run_virtual(main())


def test_input_that_has_to_be_waited_for() -> None:
    """An asynchronous input is drawn from as it comes, one question at a time."""
    agents = Agents()

    async def slowly() -> AsyncIterator[SpawnTask]:
        for number in range(6):
            await asyncio.sleep(10)
            yield SpawnTask(str(number))

    async def main() -> list[str]:
        async with stream(slowly(), max_concurrent=4) as events:
            return [
                event.result.output async for event in events if isinstance(event, TaskFinished)
            ]

    with patch("aurora_spawner.spawner.spawn", agents.spawn):
        assert run_virtual(main()) == [str(number) for number in range(6)]


def test_errors_come_out_at_the_end() -> None:
    """A task that raises is a failed result; an input that raises comes out of the iteration after
    everything else was told."""
    agents = Agents()

    def broken() -> Iterator[SpawnTask]:
        yield SpawnTask("raise")
        yield SpawnTask("fine")
        raise LookupError("the input broke")

    finished: list[TaskFinished] = []

    async def main() -> None:
        async with stream(broken(), max_concurrent=1) as events:
            async for event in events:
                if isinstance(event, TaskFinished):
                    finished.append(event)  # noqa: PERF401 - the last of them raises

    with (
        patch("aurora_spawner.spawner.spawn", agents.spawn),
        pytest.raises(LookupError, match="the input broke"),
    ):
        run_virtual(main())
    first, second = finished
    assert (first.result.success, first.result.error) == (False, "no")
    assert second.result.output == "fine"


@pytest.mark.parametrize("limit", [0, -1])
def test_f37_a_limit_below_one(limit: int) -> None:
    """F37: a limit below one is a ValueError."""

    async def main() -> None:
        async with stream([SpawnTask("")], max_concurrent=limit) as events:
            async for _ in events:
                pass

    with pytest.raises(ValueError, match="max_concurrent"):
        run_virtual(main())


@pytest.mark.asyncio(loop_factories=["real"])
async def test_lines_of_real_agents() -> None:
    """Lines are told as events while agents run."""
    agent = FakeAgent().write("one\ntwo\n").sleep(0.01).write("three")
    with no_leaks():
        async with stream([SpawnTask("", command=agent.argv())]) as events:
            told = [event async for event in events]
    lines = [event.event for event in told if isinstance(event, TaskEvent)]
    assert lines == [OutputLine("stdout", text) for text in ("one", "two", "three")]


@pytest.mark.asyncio(loop_factories=["real"])
async def test_leaving_early_ends_real_agents(tmp_path: Path) -> None:
    """When the block is left at the first event, no process of any task is left."""
    pids = tmp_path / "pids"
    agent = FakeAgent().record_pids(pids).write("up\n").sleep(60.0)
    with no_leaks():
        async with stream([SpawnTask("", command=agent.argv())] * 4, max_concurrent=3) as events:
            async for event in events:
                if isinstance(event, TaskEvent):
                    break
    assert survivors(pids) == ()


def test_tasks_bring_their_recovery() -> None:
    """A task that is recoverable is retried as it says, and its events are told."""
    attempts = 0

    async def flaky(task: SpawnTask) -> SpawnResult:
        nonlocal attempts
        attempts += 1
        return answer("at last") if attempts == 3 else SpawnResult.failed("not yet")

    async def main() -> SpawnResult:
        task = RecoverableTask(prompt="x", agent="a", spawn=flaky, max_retries=2)
        async with stream([task]) as events:
            *_, last = [event async for event in events]
        assert isinstance(last, TaskFinished)
        return last.result

    result = run_virtual(main())
    assert (result.output, result.retry_count) == ("at last", 2)
