"""What only a cluster promises, on one that stays whole; see `test_losses` for the rest."""

from __future__ import annotations

import asyncio
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

from .machines import SLOTS, Machines, soon, until
from .standing import Standing


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


def test_a_killed_worker_s_agents_end_and_run_again_elsewhere(
    shared: Machines, tmp_path: Path
) -> None:
    """F26: SIGKILL to a worker ends its agents' trees; their tasks, and no others, run once more,
    and end well on another worker."""
    agents = Standing(tmp_path / "agents")
    tasks = [SpawnTask(str(number), command=agents.command()) for number in range(2 * SLOTS)]
    first, second = (shared.workers[name].pid for name in ("first", "second"))

    async def main() -> list[SpawnResult]:
        async with DaskRunner(shared.address) as runner:
            work = asyncio.create_task(spawn_parallel(tasks, 2 * SLOTS, runner=runner))
            await soon(lambda: agents.begun(first) == agents.begun(second) == SLOTS)
            shared.kill("first")
            await soon(lambda: agents.alive(first) == 0)
            # A shell and its daemon in each slot.
            assert agents.alive(second) == 2 * SLOTS
            agents.go()
            return await work

    try:
        results = asyncio.run(main())
    finally:
        shared.have("first")
    assert [result.output for result in results] == [f"{second} {n}\n" for n in range(2 * SLOTS)]
    assert agents.begun(first) == SLOTS
    assert agents.begun() == 3 * SLOTS
    until(lambda: agents.alive() == 0)


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
