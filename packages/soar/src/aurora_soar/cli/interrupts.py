"""What signals mean to a run.

Ctrl-C once: nothing new starts, what runs may finish. Twice, or SIGTERM, or SIGHUP: agents are
ended. A signal that was ignored when we started (nohup, a job in the background) stays ignored.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

__all__ = ["Interrupts"]

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Listens for signals while it is entered.

    Args:
        stop: Set at the first Ctrl-C.
        cancel: Called when agents are to be ended; once.
        say: Tells people what happens now.

    Attributes:
        received: The last signal; None if there was none.
    """

    def __init__(
        self, stop: asyncio.Event, cancel: Callable[[], object], say: Callable[[str], None]
    ) -> None:
        self.received: signal.Signals | None = None
        self._stop = stop
        self._cancel = cancel
        self._say = say
        self._ending = False

    def __enter__(self) -> Interrupts:
        loop = asyncio.get_running_loop()
        self._heard = [each for each in _WATCHED if signal.getsignal(each) != signal.SIG_IGN]
        for each in self._heard:
            loop.add_signal_handler(each, self._receive, each)
        return self

    def __exit__(self, *exception: object) -> None:
        loop = asyncio.get_running_loop()
        for each in self._heard:
            loop.remove_signal_handler(each)

    def _receive(self, number: signal.Signals) -> None:
        self.received = number
        if number == signal.SIGINT and not self._stop.is_set():
            self._stop.set()
            self._say("Ctrl-C: nothing new starts, agents may finish; again to end them")
        elif not self._ending:
            self._ending = True
            self._stop.set()
            self._cancel()
            self._say(f"{number.name}: ending the agents")
