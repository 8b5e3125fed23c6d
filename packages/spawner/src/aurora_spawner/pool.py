"""Many pieces of work, N at once: results in the order of the input, or as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from aurora_spawner.errors import InvalidTaskError

__all__ = ["Items", "run_pool", "run_workers"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Items: TypeAlias = Iterable[_Item] | AsyncIterable[_Item]
"""Input of any length, also endless, also one that has to be waited for."""

_END: Any = object()


async def run_pool(
    items: Items[_Item],
    work: Callable[[int, _Item], Awaitable[_Result]],
    limit: int,
) -> list[_Result]:
    """Like `run_workers`, with one result per item, in the order of the items."""
    results: list[_Result] = []

    async def keep(index: int, item: _Item) -> None:
        results.append(_END)
        results[index] = await work(index, item)

    await run_workers(items, keep, limit)
    return results


async def run_workers(
    items: Items[_Item],
    work: Callable[[int, _Item], Awaitable[None]],
    limit: int,
) -> None:
    """Do `work(index, item)` for every item, at most `limit` at once.

    Items are drawn only when there is a slot for them, so that the input may be endless and costs
    no memory beyond the slots.

    Raises:
        InvalidTaskError: `limit` is no whole number or below 1.
        BaseException: What `work` or the iteration raised first, or a cancellation, from inside
            or outside; in every case after all other work has ended.
    """
    if not (limit >= 1 and limit % 1 == 0):
        raise InvalidTaskError(
            "max_concurrent", f"must be a whole number, at least 1, not {limit!r}"
        )
    loop = asyncio.get_running_loop()
    waited = aiter(items) if isinstance(items, AsyncIterable) else None
    source = iter(()) if isinstance(items, AsyncIterable) else iter(items)
    turn = asyncio.Lock()
    workers: set[asyncio.Task[None]] = set()
    failure: BaseException | None = None
    deserted: asyncio.Future[None] = loop.create_future()
    drawn = 0

    async def labour() -> None:
        nonlocal drawn
        while failure is None:
            if waited is None:
                item = next(source, _END)
            else:
                # An asynchronous iterator must not be asked twice at the same time.
                async with turn:
                    item = await anext(waited, _END)
            if item is _END:
                return
            index = drawn
            drawn += 1
            # There was work for this one, so there may be some for one more.
            if len(workers) < limit:
                hire()
            await work(index, item)

    def hire() -> None:
        worker = loop.create_task(labour())
        workers.add(worker)
        worker.add_done_callback(leave)

    def leave(worker: asyncio.Task[None]) -> None:
        nonlocal failure
        workers.discard(worker)
        error = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        if error is not None and failure is None:
            failure = error
            dismiss()
        if not workers and not deserted.done():
            deserted.set_result(None)

    def dismiss() -> None:
        for worker in workers:
            worker.cancel()

    hire()
    while workers:
        try:
            await deserted
        except asyncio.CancelledError as error:
            deserted = loop.create_future()
            failure = error
            dismiss()
    if failure is not None:
        raise failure
