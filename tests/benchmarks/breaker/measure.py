"""Time and memory of small things, beside a yardstick that is measured in the same breath.

Nothing that is timed waits for anything, so what is measured is the processor time of the one
thread: what else runs on the machine then matters little.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import thread_time_ns
from typing import Any

from .libraries import AsyncCall, AsyncLoop, Loop, SyncCall, empty


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection in between, as timeit does it."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def nanoseconds(loop: Loop, times: int) -> float:
    """Of one turn."""
    start = thread_time_ns()
    loop(times)
    return (thread_time_ns() - start) / times


async def async_nanoseconds(loop: AsyncLoop, times: int) -> float:
    """Of one turn."""
    start = thread_time_ns()
    await loop(times)
    return (thread_time_ns() - start) / times


def awaiting(call: AsyncCall) -> AsyncLoop:
    """A loop that awaits a call."""

    async def loop(times: int) -> None:
        for _ in range(times):
            await call()

    return loop


def calling(call: SyncCall) -> Loop:
    """A loop that makes a call."""

    def loop(times: int) -> None:
        for _ in range(times):
            call()

    return loop


class Yardstick:
    """An empty awaited function, measured again before each thing that is compared with it.

    Args:
        rounds: How often each thing is measured; the median counts.
        times: Turns in one measurement.
    """

    def __init__(self, rounds: int, times: int) -> None:
        self.rounds = rounds
        self.times = times

    def ratio(self, loop: Loop) -> float:
        """How many empty awaited functions one turn takes."""

        async def turns(times: int) -> None:
            loop(times)

        return self.async_ratio(turns)

    def async_ratio(self, loop: AsyncLoop) -> float:
        """The same for a loop that awaits."""
        plain = awaiting(empty)

        async def compare() -> float:
            await loop(self.times // 10)
            ratios = []
            for _ in range(self.rounds):
                yardstick = await async_nanoseconds(plain, self.times)
                ratios.append(await async_nanoseconds(loop, self.times) / yardstick)
            return median(ratios)

        with without_collection():
            return asyncio.run(compare())

    def nanoseconds(self, loop: Loop, times: int | None = None) -> float:
        """Of one turn; with `times`, of as many turns in a single measurement."""
        with without_collection():
            if times is not None:
                return nanoseconds(loop, times)
            loop(self.times // 10)
            return median(nanoseconds(loop, self.times) for _ in range(self.rounds))


def bytes_per_key(make: Callable[[str], Any], keys: Sequence[str]) -> float:
    """What a key costs in memory, with the entry under which its circuit is found if it has one.

    The keys themselves are there before, and not counted.
    """
    make("one key, so that what is made once is there")
    kept: dict[str, Any] = {}
    gc.collect()
    tracemalloc.start()
    try:
        for key in keys:
            circuit = make(key)
            if circuit is not None:
                kept[key] = circuit
        gc.collect()
        # Whole bytes: below half of one is what the loop itself holds.
        return round(tracemalloc.get_traced_memory()[0] / len(keys))
    finally:
        tracemalloc.stop()
