"""What only a cluster promises, on one that stays whole; see `test_losses` for the rest."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from distributed import Client

from aurora_spawner import (
    InvalidTaskError,
    SpawnError,
    SpawnResult,
    SpawnTask,
    spawn,
    spawn_parallel,
)
from aurora_spawner.errors import ClusterError
from aurora_spawner.runners.dask import DaskRunner
from aurora_spawner.testing import FakeAgent, survivors

from .machines import SLOTS, Machines, until


def test_workers_run_no_more_than_their_slots(shared: Machines, tmp_path: Path) -> None:
    """F38: whatever is asked for at once, each worker runs as many agents as it has slots."""
    script = f'echo + >> "{tmp_path}/$PPID"; sleep 0.1; echo - >> "{tmp_path}/$PPID"'
    tasks = [SpawnTask("", command=("sh", "-c", script)) for _ in range(24)]

    async def main() -> None:
        async with DaskRunner(shared.address) as runner:
            assert runner.slots == 2 * SLOTS
            results = await spawn_parallel(tasks, 24, runner=runner)
            assert all(result.success for result in results)

    asyncio.run(main())
    trails = list(tmp_path.iterdir())
    assert len(trails) == 2
    for trail in trails:
        running = most = 0
        for step in trail.read_text().split():
            running += 1 if step == "+" else -1
            most = max(most, running)
        assert (running, most) == (0, SLOTS)


def test_the_scheduler_knows_of_a_window_only(shared: Machines) -> None:
    """However many wait, the scheduler has two requests for each slot at most."""
    seen: list[int] = []

    async def look() -> None:
        async with Client(shared.address, asynchronous=True, set_as_default=False) as client:
            while True:
                seen.append(sum(len(keys) for keys in (await client.processing()).values()))

    async def main() -> None:
        async with DaskRunner(shared.address) as runner:
            looking = asyncio.create_task(look())
            tasks = [SpawnTask(str(number), command=("cat",)) for number in range(100)]
            results = await spawn_parallel(tasks, 100, runner=runner)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        assert [result.output for result in results] == [str(number) for number in range(100)]

    asyncio.run(main())
    assert 2 * SLOTS < max(seen) <= 2 * 2 * SLOTS


def test_a_slow_agent_holds_up_nobody_else(shared: Machines, tmp_path: Path) -> None:
    """While agents hold all slots of a worker but one, and more, the others do all the rest."""
    go = tmp_path / "go"
    slow = f'while [ ! -e "{go}" ]; do sleep 0.02; done'

    async def main() -> None:
        async with DaskRunner(shared.address) as runner:
            held = [
                asyncio.create_task(spawn(SpawnTask("", command=("sh", "-c", slow)), runner=runner))
                for _ in range(2 * SLOTS - 1)
            ]
            tasks = [SpawnTask(str(number), command=("cat",)) for number in range(20)]
            results = await spawn_parallel(tasks, 20, runner=runner)
            assert [result.output for result in results] == [str(number) for number in range(20)]
            assert not any(each.done() for each in held)
            go.touch()
            assert all(result.success for result in await asyncio.gather(*held))

    asyncio.run(main())


_CLIENT = """
import asyncio, sys
from aurora_spawner import SpawnTask, spawn_parallel
from aurora_spawner.runners.dask import DaskRunner

async def main():
    async with DaskRunner(sys.argv[1]) as runner:
        task = SpawnTask("", command=tuple(sys.argv[2:]))
        await spawn_parallel([task] * 8, 8, runner=runner)

asyncio.run(main())
"""


def test_a_client_that_is_killed_leaves_nothing_running(shared: Machines, tmp_path: Path) -> None:
    """F26: after SIGKILL to the client its agents end, those that waited never begin."""
    pids = tmp_path / "pids"
    agent = FakeAgent().record_pids(pids).daemon().hang()
    client = subprocess.Popen([sys.executable, "-c", _CLIENT, shared.address, *agent.argv()])
    try:
        until(lambda: pids.exists() and len(survivors(pids)) == 2 * 2 * SLOTS)
    finally:
        client.kill()
        client.wait()
    until(lambda: not survivors(pids))

    async def after() -> None:
        async with DaskRunner(shared.address) as runner:
            result = await spawn(SpawnTask("next", command=("cat",)), runner=runner)
            assert result.output == "next"

    began = pids.read_text()
    asyncio.run(after())
    assert pids.read_text() == began


def test_a_killed_worker_s_agents_end_and_run_again_elsewhere(
    shared: Machines, tmp_path: Path
) -> None:
    """F26: SIGKILL to a worker ends its agents' trees; their tasks end well on another worker."""
    go = tmp_path / "go"
    daemon = shlex.join(FakeAgent().record_pids("pids").daemon().argv())
    script = (
        f'mkdir -p "{tmp_path}/$PPID"; cd "{tmp_path}/$PPID"; {daemon}; echo $PPID; '
        'echo "$$ $(cut -d " " -f 22 /proc/$$/stat)" >> pids; '
        f'while [ ! -e "{go}" ]; do sleep 0.01; done'
    )
    tasks = [SpawnTask("", command=("sh", "-c", script)) for _ in range(2 * SLOTS)]
    first, second = (tmp_path / str(shared.workers[name].pid) for name in ("first", "second"))

    def running(worker: Path) -> int:
        return len(survivors(worker / "pids")) if (worker / "pids").exists() else 0

    async def main() -> list[SpawnResult]:
        async with DaskRunner(shared.address) as runner:
            work = asyncio.create_task(spawn_parallel(tasks, 2 * SLOTS, runner=runner))
            # A shell and its daemon in each slot.
            await asyncio.to_thread(until, lambda: running(first) == running(second) == 2 * SLOTS)
            shared.kill("first")
            await asyncio.to_thread(until, lambda: running(first) == 0)
            assert running(second) == 2 * SLOTS
            go.touch()
            return await work

    try:
        results = asyncio.run(main())
    finally:
        shared.have("first")
    assert all(result.success for result in results), results
    assert {result.output for result in results} == {f"{second.name}\n"}


def test_a_runner_that_is_not_entered_says_how(shared: Machines) -> None:
    """A runner outside of its block runs nothing, and says how it is used."""

    async def main() -> None:
        runner = DaskRunner(shared.address)
        with pytest.raises(SpawnError, match="async with"):
            await spawn(SpawnTask("", command=("true",)), runner=runner)

    asyncio.run(main())


def test_an_address_where_nobody_listens_is_an_error() -> None:
    """A scheduler that is not there is told with its address, after the time for connecting."""

    async def main() -> None:
        with pytest.raises(ClusterError, match=r"127\.0\.0\.1:1 cannot be reached"):
            async with DaskRunner("127.0.0.1:1", connect_timeout=0.5):
                pass

    asyncio.run(main())


def test_an_open_network_is_refused() -> None:
    """A scheduler beyond loopback without TLS is refused before anything is sent to it."""
    with pytest.raises(InvalidTaskError, match="TLS"):
        DaskRunner("tcp://192.0.2.1:8786")
