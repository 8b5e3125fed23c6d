"""Judges by what this process sees itself while a shared store is down."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from ..state import Change, State
from .memory import MemoryStore
from .protocol import Store, StoreDownError

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Argument = TypeVar("Argument")

# Seconds between attempts to reach a store that is down. Each costs one caller a timeout; a store
# that is back is asked again within this time.
RETRY_EVERY = 1.0


class FallbackStore:
    """A shared store, and a local one in its stead while the shared one is down.

    The local one begins without knowing anybody, and is emptied when the shared one is back:
    nothing is carried over either way, so a broken agent is found out anew by each process.
    Permits are not tied to the store that granted them.

    Args:
        shared: The store that counts.
        local: The one that stands in for it.
        clock: Monotonic seconds.
        told: Called once with the reason when the shared store is lost, and once with None when
            it is back; no lock is held meanwhile.
    """

    held = None

    def __init__(
        self,
        shared: Store,
        local: MemoryStore,
        clock: Callable[[], float],
        told: Callable[[str | None], object],
    ) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock
        self._told = told
        self._lock = threading.Lock()
        self._down = False
        self._retry_at = 0.0

    def update(
        self, agent_id: str, change: Change[Argument], argument: Argument
    ) -> tuple[State, State, float]:
        """See `Store.update`."""
        return self._ask(lambda store: store.update(agent_id, change, argument))

    def look(self, agent_id: str, /) -> tuple[State, float]:
        """See `Store.look`."""
        return self._ask(lambda store: store.look(agent_id))

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        return iter(self._ask(list))

    def _ask(self, ask: Callable[[Store], Answer]) -> Answer:
        if self._may_try():
            try:
                answer = ask(self._shared)
            except StoreDownError as error:
                self._lost(str(error))
            else:
                if self._down:
                    self._recovered()
                return answer
        return ask(self._local)

    def _may_try(self) -> bool:
        """Whether to ask the shared store: if it is down, one caller does so now and then."""
        if not self._down:
            return True
        now = self._clock()
        with self._lock:
            if now < self._retry_at:
                return False
            self._retry_at = now + RETRY_EVERY
            return True

    def _lost(self, reason: str) -> None:
        with self._lock:
            news = not self._down
            self._down = True
            self._retry_at = self._clock() + RETRY_EVERY
        if news:
            logger.warning("The store is down; each process judges for itself: %s", reason)
            self._told(reason)

    def _recovered(self) -> None:
        with self._lock:
            news = self._down
            self._down = False
            self._local.clear()
        if news:
            logger.info("The store is back")
            self._told(None)
