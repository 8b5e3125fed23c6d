"""Many tasks as a stream of events: for input that is long or endless."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from aurora_spawner.events import Event, StreamEvent, TaskEvent, TaskFinished, TaskStarted
from aurora_spawner.models import SpawnResult, SpawnTask
from aurora_spawner.pool import Items, run_workers

__all__ = ["stream_tasks"]

# Events that wait for a slow reader, for each slot: its start, its end and some lines between.
_BACKLOG = 16


@contextlib.asynccontextmanager
async def stream_tasks(
    tasks: Items[SpawnTask],
    run: Callable[[SpawnTask, Callable[[Event], None]], Awaitable[SpawnResult]],
    limit: int,
) -> AsyncIterator[AsyncIterator[StreamEvent]]:
    """See `spawner.stream`; `run` runs one task and tells its events.

    Nothing is started while the reader is a backlog behind; only lines are left out then.
    """
    queue: asyncio.Queue[StreamEvent | None] = asyncio.Queue(_BACKLOG * limit)

    async def work(index: int, task: SpawnTask) -> None:
        def tell(event: Event) -> None:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(TaskEvent(index, event))

        await queue.put(TaskStarted(index, task))
        try:
            result = await run(task, tell)
        except Exception as error:
            result = SpawnResult.failed(error)
        await queue.put(TaskFinished(index, task, result))

    async def run_all() -> None:
        try:
            await run_workers(tasks, work, limit)
        except Exception:
            await queue.put(None)
            raise
        await queue.put(None)

    async def events() -> AsyncGenerator[StreamEvent, None]:
        while (event := await queue.get()) is not None:
            yield event
        await runner

    runner = asyncio.create_task(run_all())
    try:
        async with contextlib.aclosing(events()) as reading:
            yield reading
    finally:
        await _end(runner)


async def _end(runner: asyncio.Task[None]) -> None:
    """Cancel and wait, however often we are cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not runner.done():
        runner.cancel()
        try:
            await asyncio.wait([runner])
        except asyncio.CancelledError as error:
            cancelled = error
    if not runner.cancelled():
        # Its error reached the reader, or the reader left before it came to that.
        runner.exception()
    if cancelled is not None:
        raise cancelled
