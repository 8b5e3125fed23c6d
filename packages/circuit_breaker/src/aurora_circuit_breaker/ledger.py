"""Asks the store and tells it, with the rules of each agent; tells the listeners what changed."""

import logging
import threading
from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from .events import CircuitOpened, Listeners, kind_of_change
from .health import HealthStatus, health_status
from .policy import FailureType, Kind, KindOf, Rules
from .state import (
    HEALTHY,
    Change,
    Open,
    State,
    admit,
    blocked_for,
    fail,
    refusal_reason,
    release,
    succeed,
)
from .stores import Store

# The name that this package's users know; the file's own is nobody's business.
logger = logging.getLogger("aurora_circuit_breaker.breaker")

# Marks that are kept; the one that was made longest ago goes first. 65,536 are some 8 MB.
MARKS = 65_536

# Ids whose rules are known without reading them again: some 100 kB.
READ = 1024


class Refusal(NamedTuple):
    """Why nobody may run now.

    Attributes:
        reason: For people.
        retry_after: Seconds, above 0; while probes run, until a lease ends at the latest.
    """

    reason: str
    retry_after: float


# A wish that was granted: the generation of the state that granted it, and whether a success or a
# release is worth telling, because it holds a slot or is counted. A tuple, because making a
# NamedTuple takes 150 ns more.
Grant = tuple[int, bool]

_TO_A_HEALTHY_ONE: Grant = (HEALTHY.generation, False)


class _Everybody:
    """Holds everybody."""

    def __contains__(self, agent_id: object) -> bool:
        return True


class Ledger:
    """What is told about agents, and what is known of them.

    Args:
        store: Where states live.
        rules: Those of each kind.
        kind_of: Which kind an id is.
        slots: How many probes may run at a time.
        shadow: Whether everybody is let in, whatever the state.
        clock: Monotonic seconds of this process: times calls.
        random: From 0 up to 1: jitters openings.
        listeners: Whom to tell.

    Attributes:
        suspects: Who has to be asked about; whoever is not among them is healthy, and only a
            failure of theirs is worth telling.
        slow: Whether coroutines should ask in a thread.
    """

    def __init__(
        self,
        store: Store,
        rules: Mapping[Kind, Rules],
        kind_of: KindOf,
        slots: int,
        shadow: bool,
        clock: Callable[[], float],
        random: Callable[[], float],
        listeners: Listeners,
    ) -> None:
        self.store = store
        self._update = store.update
        self.slots = slots
        self.shadow = shadow
        self.clock = clock
        self._random = random
        self._listeners = listeners
        self._rules = rules
        self._kind_of = kind_of
        self._marked: dict[str, Rules] = {}
        self._marking = threading.Lock()
        # Those of the ids that were read; reading one takes a fifth as long as all else together.
        self._read: dict[str, Rules] = {}
        self.counts_calls = any(of_kind.counts_calls for of_kind in rules.values())
        self.slow = store.held is None
        self.suspects: Container[str] = (
            _Everybody() if store.held is None or self.counts_calls else store.held
        )

    def mark_as_adhoc(self, agent_id: str) -> None:
        """Apply the rules for adhoc agents to this one from now on, whatever its id says."""
        if self._kind_of(agent_id) is Kind.ADHOC:
            return
        with self._marking:
            self._marked.pop(agent_id, None)
            self._marked[agent_id] = self._rules[Kind.ADHOC]
            if len(self._marked) > MARKS:
                del self._marked[next(iter(self._marked))]
            self._read = {}

    @property
    def marked(self) -> tuple[str, ...]:
        """Who was marked as adhoc."""
        with self._marking:
            return tuple(self._marked)

    def rules_of(self, agent_id: str) -> Rules:
        """The rules that apply to the agent."""
        # Held fast before the marks are looked at: a mark that comes meanwhile begins another.
        read = self._read
        rules = read.get(agent_id)
        if rules is None:
            rules = self._marked.get(agent_id) or self._rules[self._kind_of(agent_id)]
            # Emptied and not trimmed: with more ids than that in turn, any order is as bad.
            if len(read) >= READ:
                read.clear()
            read[agent_id] = rules
        return rules

    def admit(self, agent_id: str, lease: float) -> Grant | Refusal:
        """Ask for a permit."""
        if agent_id not in self.suspects:
            return _TO_A_HEALTHY_ONE
        before, after, now = self._update(agent_id, admit, (lease, self.slots))
        if after is not before:
            self._changed(agent_id, before, after, now)
            return after.generation, True
        if (wait := blocked_for(after, now, self.slots)) > 0:
            return Refusal(refusal_reason(after, now, self.slots), wait)
        return after.generation, self.counts_calls

    def fail(
        self,
        agent_id: str,
        failure_type: FailureType | None,
        fast_fail: bool = True,
        permit: int | None = None,
        seconds: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        """Tell a failure of a call that took so many seconds."""
        rules = self._read.get(agent_id) or self.rules_of(agent_id)
        slow = rules.slow_calls is not None and seconds > rules.slow_calls.longer_than
        jitter = 0.0 if rules.backoff is None else self._random()
        before, after, now = self._update(
            agent_id, fail, (rules, failure_type, fast_fail, permit, slow, retry_after, jitter)
        )
        # A circuit that opens takes a new generation; all else is for listeners.
        if after[-1] != before[-1] or self._listeners.entries:
            self._changed(agent_id, before, after, now)

    def succeed(self, agent_id: str, permit: int | None = None, seconds: float = 0.0) -> None:
        """Tell a success of a call that took so many seconds."""
        rules = self.rules_of(agent_id)
        slow = rules.slow_calls is not None and seconds > rules.slow_calls.longer_than
        jitter = 0.0 if rules.backoff is None else self._random()
        self.change(agent_id, succeed, (rules, permit, slow, jitter))

    def release(self, agent_id: str, permit: int) -> None:
        """Give a permit back."""
        self._update(agent_id, release, permit)

    def change(self, agent_id: str, change: Change[Any], argument: Any) -> None:
        """Make any change."""
        before, after, now = self._update(agent_id, change, argument)
        self._changed(agent_id, before, after, now)

    def health(self, agent_id: str) -> HealthStatus:
        """What a person wants to know about the agent."""
        return self._health(agent_id, *self.store.look(agent_id))

    def _health(self, agent_id: str, state: State, now: float) -> HealthStatus:
        return health_status(agent_id, state, now, self.rules_of(agent_id), self.slots, self.shadow)

    def _changed(self, agent_id: str, before: State, after: State, now: float) -> None:
        kind = kind_of_change(before, after)
        if kind is CircuitOpened and isinstance(after, Open):
            logger.warning(
                "Circuit opened for %s %r (failures: %d), retry in %gs",
                self.rules_of(agent_id).kind,
                agent_id,
                after.total,
                after.retry_at - now,
            )
        if kind is not None and self._listeners.entries:
            self._listeners.tell(kind(agent_id, self._health(agent_id, after, now)))
