"""An event loop whose clock jumps: an hour of sleeping takes no time at all.

The loop's clock stands still while anything can run and moves to the next timer when nothing
can. With a seed, tasks that are ready at the same moment run in a shuffled order, so that a test
meets schedules that the plain loop never shows; the same seed gives the same schedule.

For behaviour only: a real process takes real time, which this clock does not see.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

__all__ = ["Deadlock", "VirtualTimeLoop", "run_virtual"]

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


# Seconds: timers that close together are due together.
_RESOLUTION = 1e-6


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set: in virtual time nothing can happen any more."""


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer but moves the clock to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Deadlock("every task waits, and no timer is set that could wake one")
            self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time.

    Args:
        seed: Shuffles the order of ready tasks; None keeps the order of asyncio.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._clock = _JumpingSelector()
        self._random = None if seed is None else random.Random(seed)
        super().__init__(self._clock)
        # The rounding of a clock that shows years is larger than that of a real one.
        self._clock_resolution = _RESOLUTION

    def time(self) -> float:
        """Seconds since the loop was made, in virtual time."""
        return self._clock.now

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As asyncio's, but with a seed a task's step may come before others that are ready."""
        handle = super().call_soon(callback, *args, context=context)
        # Only steps of tasks change places: asyncio's own callbacks rely on their order.
        if self._random is not None and isinstance(
            getattr(callback, "__self__", None), asyncio.Task
        ):
            ready = self._ready  # type: ignore[attr-defined]
            ready.insert(self._random.randint(0, len(ready) - 1), ready.pop())
        return handle


def run_virtual(main: Coroutine[Any, Any, _T], *, seed: int | None = None) -> _T:
    """Run a coroutine to its end in virtual time; like `asyncio.run`.

    Raises:
        Deadlock: The coroutine waits for something that cannot happen.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(seed)) as runner:
        try:
            return runner.run(main)
        except BaseException as error:
            if seed is not None:
                error.add_note(f"schedule seed: {seed}")
            raise
