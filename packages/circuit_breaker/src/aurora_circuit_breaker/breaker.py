"""The breaker: clock, store and permits around the pure machine.

Errors:

- `CircuitOpenError`: `guard` was refused. Everything else that is raised is misuse (`ValueError`).
"""

import logging
import time
from collections.abc import Callable
from math import inf
from types import TracebackType

from .health import HealthStatus, health_status, velocity
from .policy import (
    FailureType,
    Kind,
    KindOf,
    Rules,
    always_regular,
    failure_type_of,
    kind_by_name,
)
from .state import (
    HEALTHY,
    Refusal,
    State,
    admit,
    fail,
    forget,
    recent,
    refusal_reason,
    release,
    succeed,
)
from .stores import MemoryStore, Store

logger = logging.getLogger(__name__)

# Seconds. Longer than the longest attempt of every preset but an interactive one.
DEFAULT_LEASE = 600.0

# Seconds an agent is remembered at least: six default leases.
KEEP = 3600.0

_NOT_SKIPPED = (False, "")

# A dictionary, because calling an Enum with a value takes five times as long.
_TYPES: dict[str | None, FailureType | None] = {None: None, **{t.value: t for t in FailureType}}


class CircuitOpenError(Exception):
    """The agent may not run now.

    Attributes:
        agent_id: The agent that was asked for.
        retry_after: Seconds until asking again makes sense; while a probe runs, until its lease
            ends at the latest.
        reason: For people, such as `Circuit open: 3 failures, retry in 90s`.
    """

    def __init__(self, agent_id: str, retry_after: float, reason: str) -> None:
        super().__init__(agent_id, retry_after, reason)
        self.agent_id = agent_id
        self.retry_after = retry_after
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.reason}"


class Permit:
    """The answer to one wish to run an agent.

    A granted permit is settled once, by the first of `success`, `failure` and `release` that is
    called; what is called later does nothing. Nor does a permit that was refused, or whose
    circuit changed its state since.

    Attributes:
        agent_id: The agent that was asked for.
    """

    __slots__ = ("_breaker", "_generation", "_refusal", "agent_id")

    # Set while the permit is granted and not settled, and only then.
    _generation: int

    def __init__(self, breaker: "CircuitBreaker", agent_id: str, answer: int | Refusal) -> None:
        self._breaker = breaker
        self.agent_id = agent_id
        self._refusal: Refusal | None = None
        if isinstance(answer, Refusal):
            self._refusal = answer
        else:
            self._generation = answer

    @property
    def granted(self) -> bool:
        """Whether the agent may run."""
        return self._refusal is None

    @property
    def reason(self) -> str:
        """Why it was refused, for people; empty if granted."""
        return "" if self._refusal is None else self._refusal.reason

    @property
    def retry_after(self) -> float:
        """Seconds until asking again makes sense; 0 if granted.

        While a probe runs, that is until its lease ends: at the latest.
        """
        return 0.0 if self._refusal is None else self._refusal.retry_after

    # A permit of generation 0 was given to a healthy agent: it holds no slot, and its success is
    # no news. Only its failure is worth telling.

    def success(self) -> None:
        """The agent did its work."""
        if generation := self._take():
            self._tell(succeed, generation)

    def failure(self, failure_type: str | None = None) -> None:
        """The agent failed.

        Raises:
            ValueError: `failure_type` is none of `FailureType`; the permit stays unsettled.
        """
        known = _failure_type(failure_type)
        generation = self._take()
        if generation is not None:
            self._breaker._fail(self.agent_id, known, True, generation)

    def release(self) -> None:
        """The run ended without telling anything about the agent: by cancellation, for one."""
        if generation := self._take():
            self._tell(release, generation)

    def _tell(
        self, change: Callable[[State, float, int, int], tuple[State, None]], generation: int
    ) -> None:
        self._breaker.store.update(self.agent_id, change, generation)

    def _take(self) -> int | None:
        """The generation, for the one caller that settles; None for all later ones."""
        try:
            generation = self._generation
            # Deleting is atomic: of two threads that came as far as this, one gets an error.
            del self._generation
        except AttributeError:
            return None
        return generation


class Guard(Permit):
    """A permit as a context manager, sync and async: asked for on entry, settled on exit.

    Leaving the block is a success, an exception a failure of the type that `failure_type_of`
    gives it, and a cancellation (or anything else that is no `Exception`) a release, unless the
    block has settled the permit itself.

    Raises:
        CircuitOpenError: On entry, if refused.
    """

    __slots__ = ("_lease",)

    def __init__(self, breaker: "CircuitBreaker", agent_id: str, lease: float) -> None:
        self._breaker = breaker
        self.agent_id = agent_id
        self._refusal = None
        self._lease = lease

    def __enter__(self) -> Permit:
        store = self._breaker.store
        # Nearly every call ends here, so it is spared the decision.
        if store.get(self.agent_id) is None:
            self._generation = HEALTHY.generation
            return self
        answer = store.update(self.agent_id, admit, self._lease)
        if isinstance(answer, Refusal):
            raise CircuitOpenError(self.agent_id, answer.retry_after, answer.reason)
        self._generation = answer
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        generation = self._take()
        if error is None:
            if generation:
                self._tell(succeed, generation)
        elif not isinstance(error, Exception):
            if generation:
                self._tell(release, generation)
        elif generation is not None:
            self._breaker._fail(self.agent_id, failure_type_of(error), True, generation)

    async def __aenter__(self) -> Permit:
        return self.__enter__()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(error_type, error, traceback)


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
        clock: Monotonic seconds, for the memory store; another store brings its own.
        store: Where states live; by default in this process's memory.
        kind_of: Which kind of agent an id is; None if all ids are alike. By default the words of
            the id tell, see `kind_by_name`.

    Raises:
        ValueError: A threshold below 1, or a time that is negative or not finite.
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
    ) -> None:
        self._rules = {
            Kind.REGULAR: Rules(
                kind=Kind.REGULAR,
                threshold=failure_threshold,
                window=failure_window,
                fast_fail_threshold=fast_fail_threshold,
                fast_fail_window=fast_fail_window,
                fast_fail_hard_only=False,
                reset_timeout=reset_timeout,
            ),
            Kind.ADHOC: Rules(
                kind=Kind.ADHOC,
                threshold=adhoc_failure_threshold,
                window=failure_window,
                fast_fail_threshold=fast_fail_threshold,
                fast_fail_window=adhoc_fast_fail_window,
                fast_fail_hard_only=True,
                reset_timeout=reset_timeout,
            ),
        }
        self.store: Store = (
            MemoryStore(clock, max(KEEP, failure_window)) if store is None else store
        )
        self._kind_of: KindOf = kind_of or always_regular
        self._marked: dict[str, Rules] = {}

    def admit(self, agent_id: str, lease: float = DEFAULT_LEASE) -> Permit:
        """Ask to run the agent, and settle the permit with what became of it.

        Half open, the permit is the probe's, and nobody else is granted one until it is settled
        or `lease` seconds have passed: choose a lease longer than the attempt.

        Raises:
            ValueError: The lease is not above 0, or not finite.
        """
        if not 0 < lease < inf:
            raise _bad_lease(lease)
        return Permit(self, agent_id, self.store.update(agent_id, admit, lease))

    def guard(self, agent_id: str, lease: float = DEFAULT_LEASE) -> Guard:
        """`admit` as a context manager, `with` or `async with`; one guard for one block.

        Raises:
            ValueError: The lease is not above 0, or not finite.
        """
        if not 0 < lease < inf:
            raise _bad_lease(lease)
        return Guard(self, agent_id, lease)

    def is_open(self, agent_id: str) -> bool:
        """Whether `admit` would refuse now; uses up no probe."""
        return self.should_skip(agent_id)[0]

    def should_skip(self, agent_id: str) -> tuple[bool, str]:
        """Whether `admit` would refuse now, and why (else empty); uses up no probe."""
        state = self.store.get(agent_id)
        if state is None:
            return _NOT_SKIPPED
        reason = refusal_reason(state, self.store.now())
        return (True, reason) if reason else _NOT_SKIPPED

    def record_failure(
        self, agent_id: str, fast_fail: bool = True, failure_type: str | None = None
    ) -> None:
        """Tell a failure without a permit: it applies whatever the state.

        Args:
            agent_id: Who failed.
            fast_fail: Whether this failure may open the circuit by the fast-fail rule.
            failure_type: One of `FailureType`, or None if it is not known.

        Raises:
            ValueError: `failure_type` is none of `FailureType`.
        """
        self._fail(agent_id, _failure_type(failure_type), fast_fail, None)

    def record_success(self, agent_id: str) -> None:
        """Tell a success without a permit: it closes the circuit, whatever the state."""
        self.store.update(agent_id, succeed, None)

    def mark_as_adhoc(self, agent_id: str) -> None:
        """Apply the rules for adhoc agents to this one from now on, whatever its id says."""
        self._marked[agent_id] = self._rules[Kind.ADHOC]

    def reset(self, agent_id: str) -> None:
        """Forget everything of the agent except the adhoc mark."""
        self.store.update(agent_id, forget, None)

    def reset_all(self) -> None:
        """Forget everything of every agent except the adhoc marks."""
        for agent_id in self.store:
            self.reset(agent_id)

    def get_health_status(self, agent_id: str) -> HealthStatus:
        """What a person wants to know about the agent, as plain data."""
        state = self.store.get(agent_id) or HEALTHY
        return health_status(agent_id, state, self.store.now(), self._rules_of(agent_id))

    def get_failure_velocity(self, agent_id: str) -> float:
        """Recent failures per minute; 0 below two."""
        state, now = self.store.get(agent_id) or HEALTHY, self.store.now()
        return velocity(recent(state, now, self._rules_of(agent_id)), now)

    def _rules_of(self, agent_id: str) -> Rules:
        return self._marked.get(agent_id) or self._rules[self._kind_of(agent_id)]

    def _fail(
        self,
        agent_id: str,
        failure_type: FailureType | None,
        fast_fail: bool,
        permit: int | None,
    ) -> None:
        rules = self._rules_of(agent_id)
        opened = self.store.update(agent_id, fail, (rules, failure_type, fast_fail, permit))
        if opened is not None:
            logger.warning(
                "Circuit opened for %s %r (failures: %d), retry in %gs",
                rules.kind,
                agent_id,
                opened.total,
                rules.reset_timeout,
            )


def _bad_lease(lease: float) -> ValueError:
    return ValueError(f"lease must be above 0 and finite, not {lease!r}")


def _failure_type(name: str | None) -> FailureType | None:
    try:
        return _TYPES[name]
    except KeyError:
        known = ", ".join(FailureType)
        raise ValueError(f"unknown failure type {name!r}; known: {known}") from None


_process_breaker = CircuitBreaker()


def get_circuit_breaker() -> CircuitBreaker:
    """The breaker that everything in this process shares."""
    return _process_breaker
