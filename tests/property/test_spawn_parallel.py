"""Invariants of `spawn_parallel` under drawn loads and drawn schedules, in virtual time."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_spawner import SpawnResult, SpawnTask, spawn_parallel
from aurora_spawner.testing import run_virtual


@dataclass(frozen=True)
class Job:
    """What one drawn task does: takes `seconds`, then ends as `kind` says."""

    seconds: float
    kind: str


JOBS = st.lists(
    st.builds(
        Job,
        seconds=st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0, 7.0]),
        kind=st.sampled_from(["ok", "ok", "ok", "fails", "raises"]),
    ),
    max_size=25,
)
LIMITS = st.integers(min_value=1, max_value=30)
SEEDS = st.integers(min_value=0, max_value=2**16)
every_schedule = settings(max_examples=150, deadline=None)


@dataclass
class Stage:
    """Where drawn jobs run: counts who is there, and remembers who came and went."""

    jobs: list[Job]
    active: set[int] = field(default_factory=set)
    most_active: int = 0
    started: list[int] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    broke_at: float | None = None

    async def spawn(self, task: SpawnTask) -> SpawnResult:
        number = int(task.prompt)
        job = self.jobs[number]
        assert number not in self.started, "a task was started twice"
        self.started.append(number)
        self.active.add(number)
        self.most_active = max(self.most_active, len(self.active))
        try:
            await asyncio.sleep(job.seconds)
            self.finished.append(number)
            if job.kind == "raises":
                raise RuntimeError(f"raised {number}")
            if job.kind == "cancels":
                self.broke_at = asyncio.get_running_loop().time()
                raise asyncio.CancelledError
            return self.result(number)
        finally:
            self.active.discard(number)

    def result(self, number: int) -> SpawnResult:
        good = self.jobs[number].kind == "ok"
        return SpawnResult(
            success=good,
            output=f"output {number}" if good else "",
            error=None if good else f"failed {number}",
            exit_code=0 if good else 1,
        )

    def expected(self, number: int) -> SpawnResult:
        if self.jobs[number].kind == "raises":
            return SpawnResult.failed(RuntimeError(f"raised {number}"))
        return self.result(number)

    def tasks(self) -> list[SpawnTask]:
        return [SpawnTask(prompt=str(number)) for number in range(len(self.jobs))]


@pytest.fixture(autouse=True, scope="module")
def stage_is_used() -> Iterator[list[Stage]]:
    """The stage of the moment stands in for `spawn`; that it was used is checked by its results."""
    current: list[Stage] = []

    async def spawn(task: SpawnTask) -> SpawnResult:
        return await current[-1].spawn(task)

    with patch("aurora_spawner.spawner.spawn", new=spawn):
        yield current


@every_schedule
@given(jobs=JOBS, limit=LIMITS, seed=SEEDS, lazy=st.booleans())
def test_one_result_per_task_in_input_order(
    stage_is_used: list[Stage], jobs: list[Job], limit: int, seed: int, lazy: bool
) -> None:
    """Whatever the limit, delays, failures and exceptions: results are those of the tasks, in
    their order, from a list or an iterator alike."""
    stage = Stage(jobs)
    stage_is_used[:] = [stage]
    tasks = stage.tasks()

    async def main() -> list[SpawnResult]:
        return await spawn_parallel(iter(tasks) if lazy else tasks, max_concurrent=limit)

    results = run_virtual(main(), seed=seed)
    assert results == [stage.expected(number) for number in range(len(jobs))]
    assert sorted(stage.finished) == list(range(len(jobs)))


@every_schedule
@given(jobs=JOBS, limit=LIMITS, seed=SEEDS)
def test_the_limit_is_exact(
    stage_is_used: list[Stage], jobs: list[Job], limit: int, seed: int
) -> None:
    """Never more than `max_concurrent` run at once; tasks are drawn only into free slots; and no
    slot stays empty while a task waits."""
    stage = Stage([Job(job.seconds + 0.1, job.kind) for job in jobs])
    stage_is_used[:] = [stage]
    drawn = 0

    def source() -> Iterator[SpawnTask]:
        nonlocal drawn
        for task in stage.tasks():
            drawn += 1
            assert drawn - len(stage.finished) <= limit
            yield task

    async def main() -> float:
        await spawn_parallel(source(), max_concurrent=limit)
        return asyncio.get_running_loop().time()

    took = run_virtual(main(), seed=seed)
    assert stage.most_active == min(limit, len(jobs))
    # List scheduling is never worse than the work spread evenly plus the longest job (Graham).
    seconds = [job.seconds for job in stage.jobs]
    assert took <= sum(seconds) / limit + max(seconds, default=0.0) + 1e-6


@every_schedule
@given(jobs=JOBS, seed=SEEDS)
def test_one_slot_is_serial(stage_is_used: list[Stage], jobs: list[Job], seed: int) -> None:
    """With one slot each task starts after the one before it has ended, in input order."""
    stage = Stage(jobs)
    stage_is_used[:] = [stage]

    async def main() -> None:
        await spawn_parallel(stage.tasks(), max_concurrent=1)

    run_virtual(main(), seed=seed)
    assert stage.started == stage.finished == list(range(len(jobs)))
    assert stage.most_active <= 1


@every_schedule
@given(jobs=JOBS, limit=LIMITS, seed=SEEDS)
def test_progress_is_well_formed(
    stage_is_used: list[Stage], jobs: list[Job], limit: int, seed: int
) -> None:
    """Each task is announced once, then told done once as it really ended, with the same total;
    what the callback raises changes nothing."""
    stage = Stage(jobs)
    stage_is_used[:] = [stage]
    said: dict[int, list[str]] = {}

    def on_progress(idx: int, total: int, agent_id: str, status: str) -> None:
        assert total == len(jobs)
        said.setdefault(idx, []).append(status)
        if idx % 3 == 0:
            raise RuntimeError("display gone")

    async def main() -> list[SpawnResult]:
        return await spawn_parallel(stage.tasks(), limit, on_progress)

    results = run_virtual(main(), seed=seed)
    assert sorted(said) == list(range(1, len(jobs) + 1))
    for idx, (first, last) in said.items():
        result = results[idx - 1]
        assert first == "Starting"
        assert last.startswith("Completed (" if result.success else f"Failed: {result.error}")


@every_schedule
@given(
    jobs=JOBS.filter(bool),
    limit=LIMITS,
    seed=SEEDS,
    after=st.sampled_from([0.0, 0.05, 0.1, 0.3, 1.0, 3.0]),
    twice=st.booleans(),
)
def test_cancelled_from_outside_nothing_is_left(
    stage_is_used: list[Stage],
    jobs: list[Job],
    limit: int,
    seed: int,
    after: float,
    twice: bool,
) -> None:
    """A cancellation at any moment goes through, after everything that ran has ended, and nothing
    starts afterwards."""
    stage = Stage(jobs)
    stage_is_used[:] = [stage]

    async def main() -> None:
        call = asyncio.create_task(spawn_parallel(stage.tasks(), max_concurrent=limit))
        await asyncio.sleep(after)
        done_before = call.done()
        call.cancel()
        if twice:
            await asyncio.sleep(0)
            call.cancel()
        ended = await asyncio.gather(call, return_exceptions=True)
        assert done_before or isinstance(ended[0], asyncio.CancelledError)
        assert not stage.active
        started = list(stage.started)
        await asyncio.sleep(100)
        assert stage.started == started
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main(), seed=seed)


@every_schedule
@given(
    jobs=JOBS.filter(bool),
    limit=LIMITS,
    seed=SEEDS,
    position=st.integers(min_value=0, max_value=24),
    how=st.sampled_from(["cancels", "input raises"]),
)
def test_broken_from_inside_nothing_is_left(
    stage_is_used: list[Stage],
    jobs: list[Job],
    limit: int,
    seed: int,
    position: int,
    how: str,
) -> None:
    """A cancellation from inside a task, or an input that raises, ends every sibling at once and
    then comes out."""
    position %= len(jobs)
    if how == "cancels":
        jobs = [
            Job(job.seconds, "cancels") if number == position else job
            for number, job in enumerate(jobs)
        ]
    stage = Stage(jobs)
    stage_is_used[:] = [stage]

    def source() -> Iterator[SpawnTask]:
        for number, task in enumerate(stage.tasks()):
            if how == "input raises" and number == position:
                stage.broke_at = asyncio.get_running_loop().time()
                raise LookupError("the input broke")
            yield task

    async def main() -> None:
        expected = asyncio.CancelledError if how == "cancels" else LookupError
        with pytest.raises(expected):
            await spawn_parallel(source(), max_concurrent=limit)
        assert not stage.active
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert asyncio.get_running_loop().time() == stage.broke_at

    run_virtual(main(), seed=seed)
