"""What is done to a circuit in one process, and what is seen: each written once, for every library.

None of these asserts anything: a scenario returns what it saw, and the tests say who must be seen
doing what.
"""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from .circuits import RESET, Circuit
from .clock import Clock

CALLERS = 100


class Broken(Exception):
    """How the work fails."""


async def works() -> None:
    """Work that is well."""


async def fails() -> None:
    """Work that is not."""
    raise Broken


async def trip(circuit: Circuit) -> None:
    """Open the circuit."""
    try:
        await circuit.call(fails)
    except (Broken, circuit.refused):  # some refuse in place of the last failure
        return


async def may_run(circuit: Circuit) -> bool:
    """Whether a caller is let through."""
    try:
        await circuit.call(works)
    except circuit.refused:
        return False
    return True


class Held:
    """Work that has begun and goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.let_go = asyncio.Event()

    async def work(self) -> None:
        self.begun += 1
        await self.let_go.wait()


async def settled() -> None:
    """Give every task its turns until each waits or is done."""
    for _ in range(20):
        await asyncio.sleep(0)


async def run_at_once(circuit: Circuit) -> int:
    """How many of `CALLERS` tasks that call at the same moment are let through."""
    held = Held()
    tasks = [asyncio.create_task(circuit.call(held.work)) for _ in range(CALLERS)]
    await settled()
    held.let_go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    return held.begun


async def callers_at_reset(circuit: Circuit, clock: Clock) -> int:
    """How many callers run at the moment at which the circuit may be probed."""
    await trip(circuit)
    clock.advance(RESET + 1)
    return await run_at_once(circuit)


async def after_a_cancelled_probe(circuit: Circuit, clock: Clock) -> tuple[str, int]:
    """The state that a cancelled probe leaves, and how many callers run in it at once."""
    await trip(circuit)
    clock.advance(RESET + 1)
    held = Held()
    probe = asyncio.create_task(circuit.call(held.work))
    await settled()
    assert held.begun == 1
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    return circuit.state(), await run_at_once(circuit)


async def after_a_late_success(circuit: Circuit, clock: Clock) -> str:
    """The state after work that began before the circuit opened ends well."""
    held = Held()
    early = asyncio.create_task(circuit.call(held.work))
    await settled()
    await trip(circuit)
    assert circuit.state() == "open"
    held.let_go.set()
    await early
    return circuit.state()


async def after_the_clock_was_set_back(circuit: Circuit, clock: Clock) -> bool:
    """Whether a caller runs after the reset time, the wall clock having lost an hour meanwhile."""
    await trip(circuit)
    clock.set_wall_back(3600)
    clock.advance(RESET + 1)
    return await may_run(circuit)


async def threads_run_side_by_side(circuit: Circuit, clock: Clock) -> bool:
    """Whether the calls of two threads can run at the same time while all is well."""
    meeting = threading.Barrier(2, timeout=1.0)

    async def work() -> None:
        meeting.wait()

    def call() -> None:
        asyncio.run(circuit.call(work))

    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(call), threads.submit(call)]
    return not any(isinstance(c.exception(), threading.BrokenBarrierError) for c in calls)


async def errors_grow(circuit: Circuit, clock: Clock) -> bool:
    """Whether the 10,000th refused caller gets an error on which those before left their frames."""
    await trip(circuit)
    traceback: TracebackType | None = None
    for _ in range(10_000):
        try:
            await circuit.call(works)
        except circuit.refused as error:
            traceback = error.__traceback__
    frames = 0
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    return frames >= 10_000


class Payload:
    """Stands for the hundred megabytes that a failing call had in its hands."""


async def memory_after_a_failure(circuit: Circuit, clock: Clock) -> bool:
    """Whether what a failing frame held is still in memory when its caller is done with it."""
    seen: list[weakref.ref[Payload]] = []

    async def fails_with_payload() -> None:
        payload = Payload()
        seen.append(weakref.ref(payload))
        raise Broken

    async def caller() -> None:
        try:
            await circuit.call(fails_with_payload)
        except (Broken, circuit.refused):
            return

    await caller()
    gc.collect()
    return seen[0]() is not None


async def memory_after_a_refusal(circuit: Circuit, clock: Clock) -> bool:
    """Whether what a refused caller's frame held is still in memory when that frame is gone."""
    await trip(circuit)
    seen: list[weakref.ref[Payload]] = []

    async def caller() -> None:
        payload = Payload()
        seen.append(weakref.ref(payload))
        try:
            await circuit.call(works)
        except circuit.refused:
            return

    await caller()
    gc.collect()
    return seen[0]() is not None
