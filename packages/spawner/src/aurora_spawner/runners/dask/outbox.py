"""A worker's events on their way to the client: gathered for a moment, to travel together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aurora_spawner.events import Event, OutputLine

__all__ = ["Outbox"]

# Seconds that an event waits for others: what people see as at once.
_PAUSE = 0.05

# Characters of lines in one delivery, twenty of which are made in a second at most. All of them
# pass through the scheduler, which others need too.
_LINES = 64 * 1024


class Outbox:
    """Gathers events; lines that come faster than they can be shown are left out.

    Args:
        deliver: Takes what was gathered, in order.
    """

    def __init__(self, deliver: Callable[[list[Event]], None]) -> None:
        self._deliver = deliver
        self._events: list[Event] = []
        self._characters = 0
        self._timer: asyncio.TimerHandle | None = None

    def put(self, event: Event) -> None:
        """An event happened."""
        if isinstance(event, OutputLine):
            # The first line goes, however long it is.
            if self._characters and self._characters + len(event.text) > _LINES:
                return
            self._characters += len(event.text) + 1
        self._events.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PAUSE, self.flush)

    def flush(self) -> None:
        """Deliver what there is now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._events, self._characters = self._events, [], 0
        if events:
            self._deliver(events)
