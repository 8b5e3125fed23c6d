"""At each worker: runs requests, and ends an agent's whole tree when nobody wants it any more.

Dask does not end what a cancelled task started. It tells that the task changed its state, and that
is what is listened to. The supervisor of the worker's process covers what nobody can listen to any
more: a killed worker.
"""

from __future__ import annotations

import asyncio
from typing import Any

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from aurora_spawner.errors import SpawnError
from aurora_spawner.events import OnEvent
from aurora_spawner.execution import execute
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest, SpawnResult
from aurora_spawner.runners.dask.outbox import Outbox
from aurora_spawner.runners.dask.register import ENDED_TOPIC, SLOT
from aurora_spawner.runners.dask.wire import misuse, read_request, told, write_result

__all__ = ["Host", "run_here"]

# States of a task in which it is wanted here.
_WANTED = frozenset({"executing", "long-running", "memory"})


async def run_here(key: str, text: str, limit: int, topic: str | None) -> str:
    """Run a request on the worker that this is called on.

    Args:
        key: The task.
        text: The request.
        limit: How often it may begin, on whatever worker.
        topic: Where its events go; None: nobody listens.

    Returns:
        The result, as text; nothing if nobody wants it any more.
    """
    host = get_worker().plugins[Host.name]
    assert isinstance(host, Host)
    return await host.run(key, text, limit, topic)


class Host(WorkerPlugin):
    """Stands beside one worker."""

    name = "aurora-agents"
    idempotent = True

    async def setup(self, worker: Worker) -> None:
        """Begin; a worker that was given no slots has one for each of its threads."""
        self._worker = worker
        self._running: dict[str, asyncio.Task[str]] = {}
        if SLOT not in worker.state.total_resources:
            await worker.set_resources(**{SLOT: worker.state.nthreads})
        await worker.scheduler.aurora_joined(worker=worker.address)

    async def run(self, key: str, text: str, limit: int, topic: str | None) -> str:
        """See `run_here`."""
        running = asyncio.create_task(self._run(key, text, limit, topic))
        self._running[key] = running
        try:
            # Not awaited itself: its cancellation must not become that of the worker's own task.
            await asyncio.wait([running])
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([running])
            raise
        finally:
            del self._running[key]
        if running.cancelled():
            # If anybody wants it all the same, another worker is to have it: this one closes.
            raise Reschedule
        return running.result()

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        """A task changed its state: is it still wanted?"""
        running = self._running.get(key)
        if running is not None and finish not in _WANTED:
            running.cancel()

    async def teardown(self, worker: Worker) -> None:
        """The worker closes: nothing may stay."""
        while running := [task for task in self._running.values() if not task.done()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _run(self, key: str, text: str, limit: int, topic: str | None) -> str:
        try:
            request = read_request(text)
        except SpawnError as error:
            return misuse(error)
        before = await self._ask(key, limit)
        if before < 0:
            return ""
        if before:
            return write_result(_lost(before))
        try:
            return await self._attempt(request, topic, key)
        finally:
            self._worker.log_event(ENDED_TOPIC, [key, self._worker.address])

    async def _ask(self, key: str, limit: int) -> int:
        """Ask the scheduler whether the request may begin; see `Register`."""
        begin = self._worker.scheduler.aurora_begin
        asked = asyncio.ensure_future(begin(key=key, worker=self._worker.address, limit=limit))
        try:
            return int(await asyncio.shield(asked))
        except asyncio.CancelledError:
            # What the scheduler takes for begun has to be told that it ended.
            await asyncio.wait([asked])
            self._worker.log_event(ENDED_TOPIC, [key, self._worker.address])
            raise

    async def _attempt(self, request: SpawnRequest, topic: str | None, key: str) -> str:
        if topic is None:
            return await _told(request, None)
        outbox = Outbox(lambda events: self._worker.log_event(topic, [key, told(events)]))
        try:
            return await _told(request, outbox.put)
        finally:
            outbox.flush()


async def _told(request: SpawnRequest, on_event: OnEvent | None) -> str:
    """Run a request; what came of it, as text."""
    try:
        return write_result(await execute(request, on_event))
    except SpawnError as error:
        return misuse(error)


def _lost(times: int) -> SpawnResult:
    """The result of a request that lost every worker it ran on."""
    return SpawnResult.failed(
        f"its worker was lost {times} times while it ran; not run again. Was it short of memory? "
        "The logs of the workers say why they ended",
        FailureType.CONNECTION,
    )
