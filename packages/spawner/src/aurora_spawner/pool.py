"""Many pieces of work, N at once, results in the order of the input."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from aurora_spawner.errors import InvalidTaskError

__all__ = ["run_pool"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def run_pool(
    items: Iterable[_Item],
    work: Callable[[int, _Item], Awaitable[_Result]],
    limit: int,
) -> list[_Result]:
    """Do `work(index, item)` for every item, at most `limit` at once.

    Items are drawn only when there is a slot for them, so that the input may be endless and costs
    no memory beyond the slots.

    Returns:
        One result per item, in the order of the items.

    Raises:
        InvalidTaskError: `limit` is below 1.
        BaseException: What `work` or the iteration raised first, or a cancellation, from inside
            or outside; in every case after all other work has ended.
    """
    if not limit >= 1:
        raise InvalidTaskError("max_concurrent", f"must be at least 1, not {limit!r}")
    loop = asyncio.get_running_loop()
    source = iter(items)
    results: dict[int, _Result] = {}
    workers: set[asyncio.Task[None]] = set()
    failure: BaseException | None = None
    deserted: asyncio.Future[None] = loop.create_future()
    drawn = 0

    async def labour() -> None:
        nonlocal drawn
        for item in source:
            index = drawn
            drawn += 1
            # There was work for this one, so there may be some for one more.
            if len(workers) < limit:
                hire()
            results[index] = await work(index, item)
            if failure is not None:
                return

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
    return [results[index] for index in range(drawn)]
