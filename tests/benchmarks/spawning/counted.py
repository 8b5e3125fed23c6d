"""A load of real processes that count themselves: what it costs to run, and whether a limit held.

The processes share a count (`tally.c`), so how many run at once is not what a contestant believes.
Each is in it from its first instructions to nearly its last. Now and then a gate keeps them until
as many as may are there, and then a while longer, in which one too many would be seen.

The latency of a task is the time from when it has its slot to its result, less the time for which
its process ran by its own clock: start, exit, reading and whatever stood in line meanwhile.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

from spawning.harness import Contestant, Figures, metered
from spawning.native import COMPILER, compiled
from spawning.peers import (
    ASYNCIO,
    OURS,
    THREADS,
    TRIO,
    Command,
    Runner,
    asyncio_gather,
    threads,
    with_trio,
)
from spawning.sampling import children_cpu, growth

__all__ = ["COLUMNS", "CPU", "MEMORY", "MOST", "STREAM", "Load", "contestants", "measured"]

STREAM = f"{OURS}, stream"
PROMPT = "Count yourself."

CPU, RATE, MEMORY = "CPU µs", "tasks/s", "peak MB"
MEDIAN, LATE, MOST = "p50 ms", "p99 ms", "most at once"
COLUMNS = (CPU, RATE, MEMORY, MEDIAN, LATE, MOST)

# Milliseconds: one too many, if it is started, is there by then.
HOLD = 250

_TALLY = struct.Struct("4i")
_ZEROES = bytes(_TALLY.size)

Latencies = array
Load = Callable[[Command, int, int], Latencies]
"""Runs a command so many times, so many at once, and returns nanoseconds in any order."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a load cost.

    Attributes:
        cpu: Seconds of this process and of what it keeps beside it, a task.
        wall: Seconds, all tasks, without those in which the gate kept everybody.
        grown: Bytes at the peak of memory, results included.
        latencies: Nanoseconds, sorted.
        most: How many processes were seen at once.
    """

    cpu: float
    wall: float
    grown: int
    latencies: list[int]
    most: int

    def figures(self) -> Figures:
        """By column."""
        count = len(self.latencies)
        return {
            CPU: self.cpu * 1e6,
            RATE: count / self.wall,
            MEMORY: self.grown / 1e6,
            MEDIAN: self.latencies[count // 2] / 1e6,
            LATE: self.latencies[count * 99 // 100] / 1e6,
            MOST: self.most,
        }


def measured(load: Load, count: int, at_once: int, gates: int = 1) -> Measured:
    """Run `count` processes, `at_once` at once.

    Args:
        load: Who runs them.
        count: How many there are.
        at_once: The limit.
        gates: How often all that run are kept until their number is that of the limit: once for
            the first, and then at even distances.
    """
    setrlimit(RLIMIT_NOFILE, (getrlimit(RLIMIT_NOFILE)[1],) * 2)
    program = compiled("tally")
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally"
        tally.write_bytes(_ZEROES)
        # What is imported or set up once is there before the first look.
        load((program, str(tally), "1", "2", "0"), 2, 2)
        tally.write_bytes(_ZEROES)
        command = (program, str(tally), str(at_once), str(count // gates), str(HOLD))
        beside = children_cpu()
        with growth() as grown, metered() as cost:
            latencies = load(command, count, at_once)
            spent, peak = cost(), grown()
        beside = children_cpu() - beside
        _, _, most, _ = _TALLY.unpack(tally.read_bytes())
    assert len(latencies) == count
    wall = spent.wall - gates * HOLD / 1e3
    return Measured((spent.cpu + beside) / count, wall, peak, sorted(latencies), most)


def _by(runner: Runner, command: Command, count: int, at_once: int) -> Latencies:
    ended = runner([command] * count, at_once, PROMPT.encode())
    return array("q", (each.ended - each.began - int(each.output) for each in ended))


def _ours(command: Command, count: int, at_once: int) -> Latencies:
    """`spawn_parallel` over a generator: every result is kept to the end."""
    from aurora_spawner import SpawnTask, spawn_parallel

    began, ended = array("q", bytes(8 * count)), array("q", bytes(8 * count))

    def on_progress(number: int, total: int, agent: str, status: str) -> None:
        # The last status of a task is the one that comes with its result.
        times = began if status == "Starting" else ended
        times[number - 1] = time.monotonic_ns()

    tasks = (SpawnTask(prompt=PROMPT, command=command) for _ in range(count))
    results = asyncio.run(spawn_parallel(tasks, at_once, on_progress))
    each = zip(ended, began, results, strict=True)
    return array("q", (late - early - int(result.output) for late, early, result in each))


def _our_stream(command: Command, count: int, at_once: int) -> Latencies:
    """`stream`: no result is kept."""
    from aurora_spawner import SpawnTask, TaskFinished, TaskStarted, stream

    latencies: Latencies = array("q", bytes(8 * count))

    async def main() -> None:
        tasks = (SpawnTask(prompt=PROMPT, command=command) for _ in range(count))
        async with stream(tasks, max_concurrent=at_once) as events:
            async for event in events:
                if isinstance(event, TaskStarted):
                    latencies[event.index] = -time.monotonic_ns()
                elif isinstance(event, TaskFinished):
                    own = int(event.result.output)
                    latencies[event.index] += time.monotonic_ns() - own

    asyncio.run(main())
    return latencies


def contestants(job: Callable[..., Figures]) -> Iterable[Contestant]:
    """Who can do it, for a row whose job is `job(load, **sizes)`."""
    cc = (COMPILER,)
    return (
        Contestant(THREADS, partial(job, partial(_by, threads)), programs=cc),
        Contestant(ASYNCIO, partial(job, partial(_by, asyncio_gather)), programs=cc),
        Contestant(TRIO, partial(job, partial(_by, with_trio)), modules=("trio",), programs=cc),
        Contestant(OURS, partial(job, _ours), modules=("aurora_spawner",), programs=cc),
        Contestant(STREAM, partial(job, _our_stream), modules=("aurora_spawner",), programs=cc),
    )
