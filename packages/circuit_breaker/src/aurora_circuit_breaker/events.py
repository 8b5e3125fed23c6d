"""What listeners are told: one type for each thing that can happen to a circuit or to its store.

```
CircuitEvent              something happened to the circuit of one agent
├── FailureCounted        a failure that did not open it
├── CircuitOpened         also when a probe failed
├── ProbeStarted          half open: a caller was let in to find out
├── CircuitClosed         by a success or a reset
├── CircuitLimited        closed, but a provider asked for a wait
└── CircuitForced         open or closed: the health tells
StoreEvent                something happened to the store
├── StoreLost             from now on this process judges by what it sees itself
└── StoreRecovered        the shared states count again
```
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .health import HealthStatus
from .state import Closed, Forced, Open, State

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CircuitEvent:
    """Something happened to the circuit of one agent.

    Attributes:
        agent_id: Whose circuit it is.
        health: Right after it.
    """

    agent_id: str
    health: HealthStatus


class FailureCounted(CircuitEvent):
    """A failure was counted and did not open the circuit."""

    __slots__ = ()


class CircuitOpened(CircuitEvent):
    """The circuit opened, or opened again because a probe failed."""

    __slots__ = ()


class ProbeStarted(CircuitEvent):
    """The circuit is half open, and a caller was let in to find out."""

    __slots__ = ()


class CircuitClosed(CircuitEvent):
    """The circuit closed: a success was told, or it was reset."""

    __slots__ = ()


class CircuitLimited(CircuitEvent):
    """A provider asked for a wait; the circuit is closed and lets nobody in before its end."""

    __slots__ = ()


class CircuitForced(CircuitEvent):
    """Somebody forced the circuit open or closed; `health["state"]` says which."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class StoreEvent:
    """Something happened to the store.

    Attributes:
        reason: For people.
    """

    reason: str


class StoreLost(StoreEvent):
    """The store is down: from now on this process judges by what it sees itself."""

    __slots__ = ()


class StoreRecovered(StoreEvent):
    """The store answers again: the shared states count."""

    __slots__ = ()


Event = CircuitEvent | StoreEvent
Listener = Callable[[Event], object]


def kind_of_change(before: State, after: State) -> type[CircuitEvent] | None:
    """What happened between two states of one circuit; None if nobody needs to know."""
    if after is before:
        return None
    if isinstance(after, Forced):
        return CircuitForced
    if isinstance(after, Closed):
        if not isinstance(before, Closed):
            return CircuitClosed
        if after.limited_until > before.limited_until:
            return CircuitLimited
        return FailureCounted if after.times and after.times is not before.times else None
    if not isinstance(before, Open):
        return CircuitOpened
    if after.generation != before.generation:
        return ProbeStarted if after.probes else CircuitOpened
    return FailureCounted if after.total > before.total else None


def store_event(lost: str | None) -> StoreEvent:
    """The event of a store that is lost, with the reason, or that is back, with None."""
    return StoreRecovered("the store answers again") if lost is None else StoreLost(lost)


class Listeners:
    """Those who want to be told. For any number of threads.

    Attributes:
        entries: One for each.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entries: tuple[_Listener, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell this one too, until the function that is returned is called."""
        entry = _Listener(listener)
        with self._lock:
            self.entries = (*self.entries, entry)

        def remove() -> None:
            with self._lock:
                self.entries = tuple(e for e in self.entries if e is not entry)

        return remove

    def tell(self, event: Event) -> None:
        """Tell everybody; no lock is held meanwhile."""
        for entry in self.entries:
            entry.tell(event)


class _Listener:
    """A listener that cannot hurt whom it listens to: its errors are logged, the first time."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._failed = False

    def tell(self, event: Event) -> None:
        try:
            self._listener(event)
        except Exception:
            if not self._failed:
                self._failed = True
                logger.warning("A listener failed; its errors are ignored", exc_info=True)
