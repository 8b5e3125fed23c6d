"""Blocking calls in a thread of their own: a pipe that nobody reads must not stop the event loop.

The thread is a daemon, so a call that never returns keeps nobody from leaving; the threads of
asyncio's executor would be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["Lane"]

_T = TypeVar("_T")


class Lane:
    """Does one call after the other; its thread starts with the first.

    Args:
        name: What the thread is called.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None]] | None = None

    async def do(self, call: Callable[..., _T], *args: Any) -> _T:
        """Wait for `call(*args)`. A cancellation ends the waiting, not the call."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def settle(result: _T | None, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result, failure = None, None
            try:
                result = call(*args)
            except Exception as error:
                failure = error
            # The loop may be closed by now: then nobody waits any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, failure)

        self._queue().put(work)
        return await future

    def _queue(self) -> SimpleQueue[Callable[[], None]]:
        if self._calls is None:
            self._calls = SimpleQueue()
            threading.Thread(
                target=_labour, args=(self._calls,), name=self._name, daemon=True
            ).start()
        return self._calls


def _labour(calls: SimpleQueue[Callable[[], None]]) -> None:
    while True:
        calls.get()()
