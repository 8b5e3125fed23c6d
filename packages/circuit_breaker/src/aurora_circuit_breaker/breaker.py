"""The breaker: what people hold in their hands; `get_circuit_breaker` gives the process's own."""

import random as _random
import time
from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf
from typing import Any

from .codec import from_plain, to_plain
from .events import Listener, Listeners, store_event
from .health import HealthStatus, velocity
from .ledger import Ledger
from .permits import Guard, Permit, known_type
from .policy import (
    Backoff,
    FailureRate,
    Kind,
    KindOf,
    Rules,
    SlowCalls,
    always_regular,
    kind_by_name,
)
from .state import Open, force, forget, recent, refusal_reason, restore, shifted
from .stores import FallbackStore, MemoryStore, Store

# Seconds. Longer than the longest attempt of every preset but an interactive one.
DEFAULT_LEASE = 600.0

# Seconds an agent is remembered at least: six default leases.
KEEP = 3600.0

# The form of what `snapshot` writes.
SNAPSHOT_VERSION = 1

_NOT_SKIPPED = (False, "")


class CircuitBreaker:
    """Decides whether an agent may run, from how it did so far. For any number of threads.

    Args:
        failure_threshold: Failures within `failure_window` that open a circuit.
        adhoc_failure_threshold: The same for adhoc agents.
        failure_window: Seconds for which a failure counts.
        reset_timeout: Seconds from opening until a probe may run.
        fast_fail_threshold: Failures within the fast-fail window that open a circuit.
        fast_fail_window: Seconds.
        adhoc_fast_fail_window: Seconds, for adhoc agents; hard failures only.
        clock: Monotonic seconds, for the memory store and to time calls; another store brings its
            own to date things.
        store: Where states live; by default in this process's memory. While a slow one is down,
            this process judges by what it sees itself.
        kind_of: Which kind of agent an id is; None if all ids are alike. By default the words of
            the id tell, see `kind_by_name`.
        probes: How many may run at a time while half open.
        failure_rate: A further condition that opens; None: none.
        slow_calls: A further condition that opens; None: none.
        backoff: How openings grow while probes fail; None: each lasts `reset_timeout`.
        shadow: Count and tell as always, but let everybody in: to try out a policy. A permit's
            `reason` then says why it would have been refused.
        on_change: The first listener, see `on_change`.
        random: From 0 up to 1: jitters openings.

    Raises:
        ValueError: A threshold or `probes` below 1, or a time that is negative or not finite.
    """

    def __init__(
        self,
        failure_threshold: int = 2,
        adhoc_failure_threshold: int = 4,
        failure_window: float = 300.0,
        reset_timeout: float = 120.0,
        fast_fail_threshold: int = 2,
        fast_fail_window: float = 10.0,
        adhoc_fast_fail_window: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        store: Store | None = None,
        kind_of: KindOf | None = kind_by_name,
        *,
        probes: int = 1,
        failure_rate: FailureRate | None = None,
        slow_calls: SlowCalls | None = None,
        backoff: Backoff | None = None,
        shadow: bool = False,
        on_change: Listener | None = None,
        random: Callable[[], float] = _random.random,
    ) -> None:
        if probes < 1:
            raise ValueError(f"probes must be at least 1, not {probes!r}")
        regular = Rules(
            kind=Kind.REGULAR,
            threshold=failure_threshold,
            window=failure_window,
            fast_fail_threshold=fast_fail_threshold,
            fast_fail_window=fast_fail_window,
            fast_fail_hard_only=False,
            reset_timeout=reset_timeout,
            failure_rate=failure_rate,
            slow_calls=slow_calls,
            backoff=backoff,
        )
        adhoc = replace(
            regular,
            kind=Kind.ADHOC,
            threshold=adhoc_failure_threshold,
            fast_fail_window=adhoc_fast_fail_window,
            fast_fail_hard_only=True,
        )
        listeners = Listeners()
        if on_change is not None:
            listeners.add(on_change)
        memory = MemoryStore(clock, max(KEEP, failure_window))
        if store is None:
            store = memory
        elif store.held is None:
            store = FallbackStore(
                store, memory, clock, lambda lost: listeners.tell(store_event(lost))
            )
        self.store: Store = store
        self._ledger = Ledger(
            store,
            {Kind.REGULAR: regular, Kind.ADHOC: adhoc},
            kind_of or always_regular,
            probes,
            shadow,
            clock,
            random,
            listeners,
        )
        self._listeners = listeners
        self._probes = probes
        # Asking is spared a call where what is known lies in this process's memory: None stands
        # for a healthy agent, and an open circuit is judged as it is.
        self._told: tuple[object, float, tuple[bool, str]] = None, 0.0, _NOT_SKIPPED
        self._peek: Callable[[str], object]
        self._peek, self._now = _ask_the_store, clock
        if shadow:
            self._peek = _ask_nobody
        elif isinstance(store, MemoryStore):
            self._peek, self._now = store.held.get, store.clock

    def admit(self, agent_id: str, lease: float = DEFAULT_LEASE) -> Permit:
        """Ask to run the agent, and settle the permit with what became of it.

        Half open, the permit is a probe's, and holds one of the slots until it is settled or
        `lease` seconds have passed: choose a lease longer than the attempt.

        Raises:
            ValueError: The lease is not above 0, or not finite.
        """
        if not 0 < lease < inf:
            raise _bad_lease(lease)
        permit = Permit(self._ledger, agent_id)
        permit.ask(lease)
        return permit

    def guard(self, agent_id: str, lease: float = DEFAULT_LEASE) -> Guard:
        """`admit` as a context manager, `with` or `async with`, or as a decorator.

        Raises:
            ValueError: The lease is not above 0, or not finite.
        """
        if not 0 < lease < inf:
            raise _bad_lease(lease)
        return Guard(self._ledger, agent_id, lease)

    def is_open(self, agent_id: str) -> bool:
        """Whether `admit` would refuse now; uses up no probe."""
        return self.should_skip(agent_id)[0]

    def should_skip(self, agent_id: str) -> tuple[bool, str]:
        """Whether `admit` would refuse now, and why (else empty); uses up no probe."""
        kept = self._peek(agent_id)
        if kept is None:
            return _NOT_SKIPPED
        if type(kept) is Open:
            now = self._now()
            told, until, answer = self._told
            # Who is refused asks again and again, and the text changes once a second.
            if told is kept and now < until:
                return answer
            reason = refusal_reason(kept, now, self._probes)
            left = kept.retry_at - now
            if left > 0:
                answer = True, reason
                self._told = kept, kept.retry_at - ceil(left) + 1, answer
                return answer
        else:
            reason = refusal_reason(*self.store.look(agent_id), self._probes)
        return (True, reason) if reason else _NOT_SKIPPED

    def record_failure(
        self,
        agent_id: str,
        fast_fail: bool = True,
        failure_type: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Tell a failure without a permit: it applies whatever the state.

        Args:
            agent_id: Who failed.
            fast_fail: Whether this failure may open the circuit by the fast-fail rule.
            failure_type: One of `FailureType`, or None if it is not known.
            retry_after: Seconds that the provider wants to be left alone, with a `rate_limit`.

        Raises:
            ValueError: `failure_type` is none of `FailureType`, or `retry_after` comes with
                another type than `rate_limit`, is negative or not finite.
        """
        known = None
        if failure_type is not None or retry_after is not None:
            known = known_type(failure_type, retry_after)
        self._ledger.fail(agent_id, known, fast_fail, None, 0.0, retry_after)

    def record_success(self, agent_id: str) -> None:
        """Tell a success without a permit: it closes the circuit, whatever the state."""
        self._ledger.succeed(agent_id)

    def mark_as_adhoc(self, agent_id: str) -> None:
        """Apply the rules for adhoc agents to this one from now on, whatever its id says.

        Marks are this process's own. Of more than 65,536 the oldest are forgotten.
        """
        self._ledger.mark_as_adhoc(agent_id)

    def force_open(self, agent_id: str) -> None:
        """Let nobody run the agent until `reset`, whatever is told."""
        self._ledger.change(agent_id, force, True)

    def force_closed(self, agent_id: str) -> None:
        """Let everybody run the agent until `reset`, whatever is told."""
        self._ledger.change(agent_id, force, False)

    def reset(self, agent_id: str) -> None:
        """Forget everything of the agent except the adhoc mark; lift a force."""
        self._ledger.change(agent_id, forget, None)

    def reset_all(self) -> None:
        """Forget everything of every agent except the adhoc marks."""
        for agent_id in self.store:
            self.reset(agent_id)

    def get_health_status(self, agent_id: str) -> HealthStatus:
        """What a person wants to know about the agent, as plain data."""
        return self._ledger.health(agent_id)

    def get_failure_velocity(self, agent_id: str) -> float:
        """Recent failures per minute; 0 below two."""
        state, now = self.store.look(agent_id)
        return velocity(recent(state, now, self._ledger.rules_of(agent_id)), now)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call the listener with each event from now on, see `aurora_circuit_breaker.events`.

        It is called by whoever made the change, before that call returns, and holds no lock: it
        may ask and tell the breaker, and should be quick. What it raises is logged the first time.
        Changes that other processes make are told there.

        Returns:
            A function that ends it.
        """
        return self._listeners.add(listener)

    def snapshot(self) -> dict[str, Any]:
        """Everything that is known of all agents, as data that JSON can write.

        Times in it are relative to now, so that another process, with another clock, can
        `restore` it. Slots of probes and counts of calls are left out.
        """
        agents = {}
        for agent_id in self.store:
            state, now = self.store.look(agent_id)
            agents[agent_id] = to_plain(shifted(state, -now))
        adhoc = list(self._ledger.marked)
        return {"version": SNAPSHOT_VERSION, "agents": agents, "adhoc": adhoc}

    def restore(self, snapshot: dict[str, Any], elapsed: float = 0.0) -> None:
        """Take over what `snapshot` wrote; agents that it does not name stay as they are.

        No listener is told. Permits from before change nothing.

        Args:
            snapshot: What was written.
            elapsed: Seconds between then and now.

        Raises:
            ValueError: It was written by something else, or by a later version; nothing is
                taken over then.
        """
        if snapshot.get("version") != SNAPSHOT_VERSION:
            raise ValueError(f"no snapshot of version {SNAPSHOT_VERSION}")
        try:
            states = {
                agent_id: shifted(from_plain(plain), -elapsed)
                for agent_id, plain in snapshot["agents"].items()
            }
            adhoc = [str(agent_id) for agent_id in snapshot["adhoc"]]
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a snapshot: {error!r}") from error
        for agent_id in adhoc:
            self.mark_as_adhoc(agent_id)
        for agent_id, state in states.items():
            self.store.update(agent_id, restore, state)


def _ask_nobody(agent_id: str) -> object:
    return None


def _ask_the_store(agent_id: str) -> object:
    return ...


def _bad_lease(lease: float) -> ValueError:
    return ValueError(f"lease must be above 0 and finite, not {lease!r}")


_process_breaker = CircuitBreaker()


def get_circuit_breaker() -> CircuitBreaker:
    """The breaker that everything in this process shares."""
    return _process_breaker
