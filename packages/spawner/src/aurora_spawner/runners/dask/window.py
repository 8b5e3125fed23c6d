"""How many requests are at the scheduler at once: a number that follows the cluster's slots.

A scheduler's memory and the time of its decisions grow with what it knows of. So it knows of what
runs and of what runs next, and the rest waits here.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Window"]

# One request runs in a slot while the next one is on its way.
_PER_SLOT = 2


class Window:
    """Lets as many in as there is room for; the others wait in the order in which they came."""

    def __init__(self) -> None:
        self._slots = 0
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def slots(self) -> int:
        """The slots of the cluster."""
        return self._slots

    def resize(self, slots: int) -> None:
        """The cluster has that many slots now; what is inside stays there."""
        self._slots = slots
        self._let_in()

    async def enter(self) -> None:
        """Wait for a place, which `leave` gives back."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                turn.cancel()
            raise

    def leave(self) -> None:
        """Give a place back."""
        self._inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._inside < self._slots * _PER_SLOT:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
