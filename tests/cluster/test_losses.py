"""Clusters that break: `make cluster` runs these, since they wait for what takes its time."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from aurora_spawner import FailureType, Policy, SpawnResult, SpawnTask, spawn, spawn_parallel
from aurora_spawner.runners.dask import DaskRunner
from aurora_spawner.testing import FakeAgent, survivors

from .conftest import Opened
from .machines import SLOTS, Machines, until
from .namespace import HERE, Namespace, network_beyond

HASTY = Policy("hasty", grace=0.5)


def tree(pids: Path) -> tuple[str, ...]:
    """An agent that stays, with a daemon; each run of it is two lines more in the file."""
    return FakeAgent().record_pids(pids).daemon().hang().argv()


def alive(pids: Path) -> int:
    return len(survivors(pids)) if pids.exists() else 0


async def soon(happened: object) -> None:
    """Wait for it while the event loop goes on."""
    await asyncio.to_thread(until, happened)


@pytest.mark.timeout(900)
def test_ten_thousand_tasks(opened: Opened) -> None:
    """F38: ten thousand tasks give ten thousand results, in their order."""

    async def main() -> list[SpawnResult]:
        tasks = (SpawnTask(str(number), command=("cat",)) for number in range(10_000))
        async with opened() as runner:
            return await spawn_parallel(tasks, 50, runner=runner)

    began = time.monotonic()
    results = asyncio.run(main())
    print(f"{(time.monotonic() - began) / 10_000 * 1000:.2f} ms each")
    assert [result.output for result in results] == [str(number) for number in range(10_000)]


def test_a_killed_scheduler_fails_what_runs_and_ends_it(machines: Machines, tmp_path: Path) -> None:
    """Without its scheduler a task fails as a lost connection, and no agent is left running."""
    machines.have("first", "second")
    pids = tmp_path / "pids"

    async def main() -> list[SpawnResult]:
        async with DaskRunner(machines.address, connect_timeout=3) as runner:
            tasks = [SpawnTask("", command=tree(pids))] * (2 * 2 * SLOTS)
            work = asyncio.create_task(spawn_parallel(tasks, len(tasks), runner=runner))
            await soon(lambda: alive(pids) == 2 * 2 * SLOTS)
            machines.scheduler.kill()
            await soon(lambda: alive(pids) == 0)
            results = await work
            return [*results, await spawn(SpawnTask("", command=("true",)), runner=runner)]

    results = asyncio.run(main())
    assert {result.failure_type for result in results} == {FailureType.CONNECTION}
    assert all(machines.address in str(result.error) for result in results)


def test_a_cancellation_without_a_scheduler_passes(machines: Machines, tmp_path: Path) -> None:
    """F25: cancelled just after its scheduler was killed, a run raises, and its agent ends."""
    machines.have("first")
    pids = tmp_path / "pids"

    async def main() -> None:
        async with DaskRunner(machines.address, connect_timeout=3) as runner:
            task = SpawnTask("", command=tree(pids), policy=HASTY)
            work = asyncio.create_task(spawn(task, runner=runner))
            await soon(lambda: alive(pids) == 2)
            machines.scheduler.kill()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            await soon(lambda: alive(pids) == 0)

    asyncio.run(main())


def test_a_worker_that_is_told_to_end_takes_its_agents_along(
    machines: Machines, tmp_path: Path
) -> None:
    """A worker that ends in good order ends its agents first; another one runs them again."""
    machines.have("first")
    pids, again = tmp_path / "pids", tmp_path / "again"
    agent = FakeAgent().fail_first(0, again).record_pids(pids).daemon().hang()

    async def main() -> None:
        async with DaskRunner(machines.address) as runner:
            work = asyncio.create_task(spawn(SpawnTask("", command=agent.argv()), runner=runner))
            await soon(lambda: alive(pids) == 2)
            first = set(survivors(pids))
            machines.begin_worker("second")
            machines.workers["first"].terminate()
            await soon(lambda: not first & set(survivors(pids)))
            await soon(lambda: alive(pids) == 2)
            assert machines.workers["first"].wait(30) == 0
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert alive(pids) == 0

    asyncio.run(main())
    assert again.read_text() == ".."


def test_a_poison_task_is_given_up_and_the_others_finish(tmp_path: Path) -> None:
    """A task that kills every worker it runs on begins one time more than it may be run again."""
    begun = tmp_path / "begun"
    poison = SpawnTask("", command=("sh", "-c", f'echo . >> "{begun}"; kill -9 $PPID; sleep 60'))

    async def main() -> tuple[SpawnResult, list[SpawnResult]]:
        # One slot each, so that nobody else is taken along.
        async with DaskRunner(workers=2, slots=1, reruns=2) as runner:
            poisoned = asyncio.create_task(spawn(poison, runner=runner))
            healthy = [SpawnTask(str(number), command=("cat",)) for number in range(20)]
            return await poisoned, await spawn_parallel(healthy, 20, runner=runner)

    result, others = asyncio.run(main())
    assert not result.success
    assert result.failure_type is FailureType.CONNECTION
    assert "its worker was lost 3 times" in str(result.error)
    assert begun.read_text().count(".") == 3
    assert [other.output for other in others] == [str(number) for number in range(20)]


def test_a_worker_that_stands_still_for_a_while_loses_nothing(
    machines: Machines, tmp_path: Path
) -> None:
    """F24: while a worker is stopped the other one works on; when it goes on, all is finished."""
    machines.have("first", "second")

    async def main() -> list[SpawnResult]:
        async with DaskRunner(machines.address) as runner:
            tasks = [
                SpawnTask(str(number), command=("sh", "-c", "sleep 0.05; cat"))
                for number in range(60)
            ]
            work = asyncio.create_task(spawn_parallel(tasks, 60, runner=runner))
            await asyncio.sleep(0.3)
            machines.workers["first"].send_signal(signal.SIGSTOP)
            await asyncio.sleep(3)
            assert not work.done()
            machines.workers["first"].send_signal(signal.SIGCONT)
            return await work

    results = asyncio.run(main())
    assert [result.output for result in results] == [str(number) for number in range(60)]


def test_a_cancelled_agent_on_a_stopped_worker_is_told(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody confirms that an agent is gone, the cancellation passes, with a warning."""
    monkeypatch.setattr("aurora_spawner.runners.dask.runner._CONFIRMED_WITHIN", 0.5)
    machines.have("first")
    pids = tmp_path / "pids"

    async def main() -> None:
        async with DaskRunner(machines.address) as runner:
            task = SpawnTask("", command=tree(pids), policy=HASTY)
            work = asyncio.create_task(spawn(task, runner=runner))
            await soon(lambda: alive(pids) == 2)
            machines.workers["first"].send_signal(signal.SIGSTOP)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            machines.workers["first"].send_signal(signal.SIGCONT)
            await soon(lambda: alive(pids) == 0)

    asyncio.run(main())


def test_a_cut_network_ends_the_agents_beyond_it(tmp_path: Path) -> None:
    """Cut off from its scheduler a worker ends its agents; their tasks run again on this side."""
    with network_beyond() as beyond:
        machines = Machines(tmp_path, host=HERE)
        try:
            machines.begin_worker("far", 1, inside=beyond.command)
            machines.have("far")
            asyncio.run(_cut(machines, beyond, tmp_path / "pids"))
        finally:
            beyond.mend()
            machines.close()


async def _cut(machines: Machines, beyond: Namespace, pids: Path) -> None:
    async with DaskRunner(machines.address, trust_network=True) as runner:
        work = asyncio.create_task(spawn(SpawnTask("", command=tree(pids)), runner=runner))
        await soon(lambda: alive(pids) == 2)
        far = set(survivors(pids))
        machines.begin_worker("near", 1)
        machines.have("near")
        beyond.cut()
        await soon(lambda: not far & set(survivors(pids)))
        await soon(lambda: alive(pids) == 2)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert alive(pids) == 0
