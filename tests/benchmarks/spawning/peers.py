"""Running the same commands with ours and with what people use today.

A runner takes commands, how many run at once and a prompt. Every command gets the prompt on
standard input; both its outputs are read. It returns, for each, its standard output and when it had
its slot and when its result was there: nanoseconds on the monotonic clock.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from spawning.harness import Contestant, Figures

__all__ = [
    "ASYNCIO",
    "OURS",
    "THREADS",
    "TRIO",
    "Command",
    "Ended",
    "Runner",
    "asyncio_gather",
    "aurora",
    "peers",
    "threads",
    "with_trio",
]

Command = Sequence[str]


class Ended(NamedTuple):
    """One command: its standard output, and nanoseconds."""

    output: bytes
    began: int
    ended: int


Runner = Callable[[Sequence[Command], int, bytes], list[Ended]]

OURS = "aurora"
ASYNCIO = "asyncio, gather + Semaphore"
THREADS = "threads + subprocess.run"
TRIO = "trio"


def aurora(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """Ours, through the front door, with all that it does by default."""
    from aurora_spawner import SpawnTask, spawn_parallel

    began, ended = [0] * len(commands), [0] * len(commands)

    def on_progress(number: int, total: int, agent: str, status: str) -> None:
        # The last status of a task is the one that comes with its result.
        times = began if status == "Starting" else ended
        times[number - 1] = time.monotonic_ns()

    tasks = [SpawnTask(prompt=prompt.decode(), command=tuple(command)) for command in commands]
    results = asyncio.run(spawn_parallel(tasks, at_once, on_progress))
    outputs = [result.output.encode() for result in results]
    return list(map(Ended, outputs, began, ended))


def threads(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """A pool of threads, each in `subprocess.run`."""

    def run(command: Command) -> Ended:
        began = time.monotonic_ns()
        done = subprocess.run(command, input=prompt, capture_output=True, check=False)
        return Ended(done.stdout, began, time.monotonic_ns())

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(run, commands))


async def _communicate(command: Command, prompt: bytes) -> Ended:
    began = time.monotonic_ns()
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    output, _ = await process.communicate(prompt)
    return Ended(output, began, time.monotonic_ns())


def asyncio_gather(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """Asyncio's subprocess with the child watcher that this Python has by default."""

    async def main() -> list[Ended]:
        slots = asyncio.Semaphore(at_once)

        async def run(command: Command) -> Ended:
            async with slots:
                return await _communicate(command, prompt)

        return await asyncio.gather(*map(run, commands))

    return asyncio.run(main())


def with_aiometer(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """Asyncio's subprocess, scheduled by aiometer."""
    import aiometer

    async def main() -> list[Ended]:
        jobs: list[Callable[[], Awaitable[Ended]]] = [
            partial(_communicate, command, prompt) for command in commands
        ]
        return await aiometer.run_all(jobs, max_at_once=at_once)

    return asyncio.run(main())


def with_trio(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """`trio.run_process` in a nursery."""
    import trio

    ended: list[Ended] = [Ended(b"", 0, 0)] * len(commands)

    async def main() -> None:
        slots = trio.CapacityLimiter(at_once)

        async def run(index: int, command: Command) -> None:
            async with slots:
                began = time.monotonic_ns()
                done = await trio.run_process(
                    command, stdin=prompt, capture_stdout=True, capture_stderr=True, check=False
                )
                ended[index] = Ended(done.stdout, began, time.monotonic_ns())

        async with trio.open_nursery() as nursery:
            for index, command in enumerate(commands):
                nursery.start_soon(run, index, command)

    trio.run(main)
    return ended


def with_anyio(commands: Sequence[Command], at_once: int, prompt: bytes) -> list[Ended]:
    """`anyio.run_process` in a task group, on asyncio.

    Without the prompt: it raises an exception when a process ends without having read its input.
    """
    import anyio

    ended: list[Ended] = [Ended(b"", 0, 0)] * len(commands)

    async def main() -> None:
        slots = anyio.CapacityLimiter(at_once)

        async def run(index: int, command: Command) -> None:
            async with slots:
                began = time.monotonic_ns()
                done = await anyio.run_process(command, check=False)
                ended[index] = Ended(done.stdout, began, time.monotonic_ns())

        async with anyio.create_task_group() as group:
            for index, command in enumerate(commands):
                group.start_soon(run, index, command)

    anyio.run(main)
    return ended


def peers(job: Callable[..., Figures]) -> tuple[Contestant, ...]:
    """Everybody as a contestant of a row whose job is `job(runner, **sizes)`."""
    return (
        Contestant(THREADS, partial(job, threads)),
        Contestant(ASYNCIO, partial(job, asyncio_gather)),
        Contestant(TRIO, partial(job, with_trio), modules=("trio",)),
        Contestant("anyio, without a prompt", partial(job, with_anyio), modules=("anyio",)),
        Contestant("aiometer", partial(job, with_aiometer), modules=("aiometer",)),
        Contestant(OURS, partial(job, aurora), modules=("aurora_spawner",)),
    )
