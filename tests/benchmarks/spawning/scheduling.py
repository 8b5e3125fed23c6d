"""What it costs to schedule tasks that do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from spawning.harness import Contestant, Figures, Row, Verdict, metered
from spawning.peers import OURS
from spawning.sampling import growth

__all__ = ["ROW"]

GATHER = "gather + Semaphore"
STREAM = f"{OURS}, stream"
FRONT = f"{OURS}, spawn_parallel"
FEW, MANY, MEMORY = "10,000: µs/task", "many: µs/task", "many: bytes/task"
LIMIT = 50

# A list of results takes this much a task, bytes.
RESULT = 8

# For those that hold every task at once, a million is too many.
FEWER: Mapping[str, int] = {"many": 100_000}

ROW = Row(
    "scheduling: 10,000 and 1,000,000 (peers: 100,000) no-op tasks, limit 50",
    columns=(FEW, MANY, MEMORY),
    baseline=GATHER,
    sizes={"few": 10_000, "many": 1_000_000},
    quick={"many": 100_000},
    rounds=3,
)


def job(run: Callable[[int], object], few: int, many: int) -> Figures:
    """Do few of them, then many, and look at the peak of memory meanwhile."""
    run(LIMIT)
    with metered() as cost:
        run(few)
        shortly = cost().wall
    with growth() as grown, metered() as cost:
        run(many)
        return {
            FEW: shortly / few * 1e6,
            MANY: cost().wall / many * 1e6,
            # In whole bytes: memory grows by pages, so that the rest is chance.
            MEMORY: round(grown() / many),
        }


async def no_op(*_: object) -> None:
    """Do nothing."""


def gather(count: int) -> object:
    """The usual idiom."""

    async def main() -> object:
        slots = asyncio.Semaphore(LIMIT)

        async def one() -> None:
            async with slots:
                await no_op()

        return await asyncio.gather(*(one() for _ in range(count)))

    return asyncio.run(main())


def with_aiometer(count: int) -> object:
    """`aiometer.run_all`."""
    import aiometer

    async def main() -> object:
        return await aiometer.run_all([no_op] * count, max_at_once=LIMIT)

    return asyncio.run(main())


def with_trio(count: int) -> object:
    """A nursery with a capacity limiter."""
    import trio

    async def main() -> None:
        slots = trio.CapacityLimiter(LIMIT)

        async def one() -> None:
            async with slots:
                await no_op()

        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(one)

    return trio.run(main)


def pool(count: int) -> object:
    """The scheduler by itself."""
    from aurora_spawner.pool import run_pool

    return asyncio.run(run_pool(range(count), no_op, LIMIT))


def _without_processes() -> Any:
    """The face, with a `spawn` that starts nothing."""
    from aurora_spawner import SpawnResult, spawner

    result = SpawnResult(success=True, output="", error=None, exit_code=0)

    async def spawn(*_: object, **__: object) -> SpawnResult:
        return result

    spawner.spawn = spawn
    return spawner


def front(count: int) -> object:
    """What people call, with progress and all, over a generator of tasks."""
    from aurora_spawner import SpawnTask

    task = SpawnTask("")
    tasks = (task for _ in range(count))
    return asyncio.run(_without_processes().spawn_parallel(tasks, LIMIT))


def stream(count: int) -> object:
    """Events instead of a list: three for each task."""
    from aurora_spawner import SpawnTask

    task = SpawnTask("")

    async def main() -> None:
        tasks = (task for _ in range(count))
        async with _without_processes().stream(tasks, max_concurrent=LIMIT) as events:
            async for _ in events:
                pass

    return asyncio.run(main())


ROW.add(
    Contestant(GATHER, partial(job, gather), sizes=FEWER),
    Contestant("aiometer", partial(job, with_aiometer), modules=("aiometer",), sizes=FEWER),
    Contestant("trio", partial(job, with_trio), modules=("trio",), sizes=FEWER),
    Contestant(OURS, partial(job, pool), modules=("aurora_spawner",)),
    Contestant(FRONT, partial(job, front), modules=("aurora_spawner",)),
    Contestant(STREAM, partial(job, stream), modules=("aurora_spawner",)),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At most 6 µs a task; no memory beyond the results but for the limit."""
    for column in (FEW, MANY):
        cost = figures[OURS][column]
        yield Verdict(
            f"at most 6 µs a task ({column.partition(':')[0]})", f"{cost:.2f} µs", cost <= 6.0
        )
    memory = figures[OURS][MEMORY]
    yield Verdict(
        f"memory O(limit) beyond the results ({RESULT} bytes each)",
        f"{memory:.1f} bytes a task",
        memory <= 1.5 * RESULT,
    )
    memory = figures[STREAM][MEMORY]
    yield Verdict("memory of a stream O(limit)", f"{memory:.2f} bytes a task", memory <= 1.0)


ROW.judge = judge
