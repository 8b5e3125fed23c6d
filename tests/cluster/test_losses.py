"""Clusters that break, and ten thousand tasks: they take their time, so `make cluster` runs them.

Whatever is lost, each task has one result, and the test says how often it ran; no agent is left.
"""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from aurora_spawner import FailureType, Policy, SpawnResult, SpawnTask, spawn, spawn_parallel
from aurora_spawner.runners.dask import DaskRunner
from aurora_spawner.testing import FakeAgent, survivors

from .client import start_client
from .conftest import Opened
from .machines import QUICK_VARIABLES, SLOTS, Machines, soon, until
from .namespace import Namespace, network_beyond
from .standing import Standing

HASTY = Policy("hasty", grace=0.5)


def tree(pids: Path) -> tuple[str, ...]:
    """An agent that stays, with a daemon; each run of it is two lines more in the file."""
    return FakeAgent().record_pids(pids).daemon().hang().argv()


def alive(pids: Path) -> int:
    return len(survivors(pids)) if pids.exists() else 0


@pytest.mark.timeout(900)
def test_ten_thousand_tasks(opened: Opened, tmp_path: Path) -> None:
    """F38: ten thousand tasks run once each, and give ten thousand results, in their order."""
    trail = tmp_path / "trail"
    trail.touch()
    prompts = [f"{number}\n" for number in range(10_000)]

    async def main() -> list[SpawnResult]:
        tasks = (SpawnTask(prompt, command=("tee", "-a", str(trail))) for prompt in prompts)
        async with opened() as runner:
            return await spawn_parallel(tasks, 50, runner=runner)

    assert [result.output for result in asyncio.run(main())] == prompts
    assert sorted(trail.read_text().splitlines(keepends=True)) == sorted(prompts)


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
    assert len(results) == 2 * 2 * SLOTS + 1
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


def test_a_cluster_that_lost_all_its_workers_waits_for_one_and_says_so(
    machines: Machines, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the last worker is lost, whoever waits is told; when one comes, the work goes on."""
    machines.have("first")
    agents = Standing(tmp_path / "agents")

    def told() -> list[str]:
        return [each.getMessage() for each in caplog.records if each.name == "aurora_spawner"]

    async def main() -> SpawnResult:
        async with DaskRunner(machines.address) as runner:
            task = SpawnTask("", command=agents.command())
            work = asyncio.create_task(spawn(task, runner=runner))
            await soon(lambda: agents.begun() == 1)
            machines.kill("first")
            await soon(told)
            agents.go()
            machines.begin_anew("first")
            return await work

    result = asyncio.run(main())
    assert result.output == f"{machines.workers['first'].pid}\n"
    assert told() == [
        f"the scheduler at {machines.address} has lost all its workers; waiting for one"
    ]


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


def test_a_worker_that_stands_still_for_a_while_loses_nothing(machines: Machines) -> None:
    """F24: while a worker is stopped the other one does all but what that one holds; when it goes
    on, all is finished, in order."""
    machines.have("first", "second")
    tasks = [
        SpawnTask(str(number), command=("sh", "-c", "sleep 0.05; cat")) for number in range(60)
    ]
    done: list[int] = []

    def on_progress(number: int, total: int, agent_id: str, status: str) -> None:
        if status.startswith("Completed"):
            done.append(number)

    async def main() -> list[SpawnResult]:
        async with DaskRunner(machines.address) as runner:
            work = asyncio.create_task(spawn_parallel(tasks, 60, on_progress, runner=runner))
            await soon(lambda: len(done) > 2 * SLOTS)
            machines.workers["first"].send_signal(signal.SIGSTOP)
            # Of the requests that the scheduler knows of, half are for the other worker.
            await soon(lambda: len(done) >= 60 - 2 * SLOTS)
            assert not work.done()
            machines.workers["first"].send_signal(signal.SIGCONT)
            return await work

    results = asyncio.run(main())
    assert [result.output for result in results] == [str(number) for number in range(60)]
    assert sorted(done) == list(range(1, 61))


def test_a_worker_that_was_given_up_and_comes_back_is_told_so(tmp_path: Path) -> None:
    """A worker that is silent for too long is lost, and its task runs elsewhere; when it comes back
    it ends its agent, and the task has one result."""
    machines = Machines(tmp_path, environment={"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s"})
    agents = Standing(tmp_path / "agents")
    try:
        machines.have("first")
        asyncio.run(_given_up(machines, agents))
    finally:
        machines.close()


async def _given_up(machines: Machines, agents: Standing) -> None:
    first = machines.workers["first"].pid
    async with DaskRunner(machines.address) as runner:
        work = asyncio.create_task(spawn(SpawnTask("", command=agents.command()), runner=runner))
        await soon(lambda: agents.begun(first) == 1)
        machines.have("second")
        second = machines.workers["second"].pid
        machines.workers["first"].send_signal(signal.SIGSTOP)
        await soon(lambda: agents.begun(second) == 1)
        assert agents.alive(first) == 2
        machines.workers["first"].send_signal(signal.SIGCONT)
        await soon(lambda: agents.alive(first) == 0)
        assert agents.alive(second) == 2
        agents.go()
        assert (await work).output == f"{second}\n"
        assert agents.begun() == 2


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
    """Cut off from its scheduler a worker ends its agents; their tasks run again on this side, and
    have one result each, also when the cable is mended meanwhile."""
    agents = Standing(tmp_path / "agents")
    with network_beyond() as beyond:
        machines = Machines(tmp_path, host=beyond.host)
        try:
            machines.begin_worker("far", inside=beyond.command)
            machines.have("far")
            asyncio.run(_cut(machines, beyond, agents))
        finally:
            beyond.mend()
            machines.close()


async def _cut(machines: Machines, beyond: Namespace, agents: Standing) -> None:
    tasks = [SpawnTask(str(number), command=agents.command()) for number in range(SLOTS)]
    far = machines.workers["far"].pid
    async with DaskRunner(machines.address, trust_network=True) as runner:
        work = asyncio.create_task(spawn_parallel(tasks, SLOTS, runner=runner))
        await soon(lambda: agents.begun(far) == SLOTS)
        machines.have("near")
        near = machines.workers["near"].pid
        beyond.cut()
        await soon(lambda: agents.alive(far) == 0)
        await soon(lambda: agents.begun(near) == SLOTS)
        beyond.mend()
        agents.go()
        assert [result.output for result in await work] == [f"{near} {n}\n" for n in range(SLOTS)]
        assert agents.begun() == 2 * SLOTS
        assert agents.alive() == 0


def test_a_client_that_is_cut_off_is_told_and_its_agents_end(tmp_path: Path) -> None:
    """A cut cable to the client ends its agents, and those that waited never begin; each of its
    tasks fails with the name of the scheduler that was lost."""
    agents = Standing(tmp_path / "agents")
    count = 3 * SLOTS
    with network_beyond() as beyond:
        machines = Machines(tmp_path, host=beyond.host)
        try:
            machines.have("near")
            client = start_client(
                machines.address,
                count,
                count,
                agents.command(),
                inside=beyond.command,
                environment=QUICK_VARIABLES,
            )
            try:
                until(lambda: agents.begun() == SLOTS)
                beyond.cut()
                told, _ = client.communicate(timeout=60)
            finally:
                client.kill()
            until(lambda: agents.alive() == 0)
        finally:
            beyond.mend()
            machines.close()
    errors = [error for _, error in json.loads(told)]
    assert len(errors) == count
    assert all(machines.address in error for error in errors)
    assert agents.begun() == SLOTS
