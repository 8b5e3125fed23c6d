"""Permits: the answer to one wish to run an agent, and how it ended.

Errors:

- `CircuitOpenError`: `guard` was refused. Everything else that is raised is misuse (`ValueError`,
  `TypeError`).
"""

from collections.abc import Awaitable, Callable, Container
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from math import inf
from types import TracebackType
from typing import ParamSpec, TypeVar, cast

from .ledger import Ledger, Refusal
from .policy import FailureType, failure_type_of

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A dictionary, because calling an Enum with a value takes five times as long.
_TYPES: dict[str | None, FailureType | None] = {None: None, **{t.value: t for t in FailureType}}


class CircuitOpenError(Exception):
    """The agent may not run now.

    Attributes:
        agent_id: The agent that was asked for.
        retry_after: Seconds until asking again makes sense; while probes run, until a lease ends
            at the latest; inf for a circuit that is forced open.
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

    __slots__ = ("_generation", "_ledger", "_news", "_refusal", "_started", "agent_id")

    # Set while the permit is granted and not settled; afterwards None or not there.
    _generation: int | None
    # Whether success and release are worth telling; set by asking.
    _news: bool
    # When the call began; set where calls are counted.
    _started: float

    def __init__(self, ledger: Ledger, agent_id: str) -> None:
        self._ledger = ledger
        self.agent_id = agent_id
        self._refusal: Refusal | None = None

    @property
    def granted(self) -> bool:
        """Whether the agent may run."""
        return self._refusal is None or self._ledger.shadow

    @property
    def reason(self) -> str:
        """Why it was refused, or would have been but for the shadow mode; else empty."""
        return "" if self._refusal is None else self._refusal.reason

    @property
    def retry_after(self) -> float:
        """Seconds until asking again makes sense; 0 if granted.

        While probes run, that is until a lease ends: at the latest. For a circuit that is forced
        open it is inf.
        """
        return 0.0 if self._refusal is None or self._ledger.shadow else self._refusal.retry_after

    def success(self) -> None:
        """The agent did its work."""
        generation = self._take()
        if generation is not None and self._news:
            self._ledger.succeed(self.agent_id, generation, self._seconds())

    def failure(self, failure_type: str | None = None, retry_after: float | None = None) -> None:
        """The agent failed.

        Args:
            failure_type: One of `FailureType`, or None if it is not known.
            retry_after: Seconds that the provider wants to be left alone, with a `rate_limit`.

        Raises:
            ValueError: `failure_type` is none of `FailureType`, or `retry_after` comes with
                another type than `rate_limit`, is negative or not finite; the permit stays
                unsettled.
        """
        known = known_type(failure_type, retry_after)
        generation = self._take()
        if generation is not None:
            self._ledger.fail(
                self.agent_id,
                known,
                permit=generation,
                seconds=self._seconds(),
                retry_after=retry_after,
            )

    def release(self) -> None:
        """The run ended without telling anything about the agent: by cancellation, for one."""
        generation = self._take()
        if generation is not None and self._news:
            self._ledger.release(self.agent_id, generation)

    def ask(self, lease: float) -> None:
        """Ask for it; to be called once, by whoever makes the permit."""
        ledger = self._ledger
        answer = ledger.admit(self.agent_id, lease)
        if isinstance(answer, Refusal):
            self._refusal, self._news = answer, False
            return
        self._generation, self._news = answer
        if ledger.counts_calls:
            self._started = ledger.clock()

    def _seconds(self) -> float:
        ledger = self._ledger
        return ledger.clock() - self._started if ledger.counts_calls else 0.0

    def _take(self) -> int | None:
        """The generation, for the one caller that settles; None for all later ones."""
        try:
            generation = self._generation
            # Deleting is atomic: of two threads that came as far as this, one gets an error.
            del self._generation
        except AttributeError:
            return None
        return generation


class _Done:
    """Awaits to None, without a coroutine: the method is one of C's, and that is 60 ns less."""

    __await__ = ().__iter__


_DONE = cast("Awaitable[None]", _Done())


class Guard(Permit):
    """A permit as a context manager, sync and async: asked for on entry, settled on exit.

    Leaving the block is a success, an exception a failure of the type that `failure_type_of`
    gives it, and a cancellation (or anything else that is no `Exception`) a release, unless the
    block has settled the permit itself. One guard is for one block; as a decorator it guards
    every call of the function, each with a guard of its own.

    Raises:
        CircuitOpenError: On entry, if refused.
    """

    __slots__ = ("_lease",)

    def __init__(self, ledger: Ledger, agent_id: str, lease: float) -> None:
        self._ledger = ledger
        self.agent_id = agent_id
        self._refusal = None
        self._lease = lease

    def __enter__(self) -> Permit:
        # Nearly every call ends here, so it is spared the decision.
        if self.agent_id not in self._ledger.suspects:
            self._generation = 0
            self._news = False
        else:
            self._enter()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._outcome(error)()
        elif self._news:
            self.success()
        else:
            self._generation = None

    async def __aenter__(self) -> Permit:
        ledger = self._ledger
        if self.agent_id not in ledger.suspects:
            self._generation = 0
            self._news = False
        elif ledger.slow:
            from . import off_loop

            await off_loop.enter(self._enter, self.release)
        else:
            self._enter()
        return self

    def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Awaitable[None]:
        if error is None and not self._news:
            self._generation = None
            return _DONE
        if self._ledger.slow:
            from . import off_loop

            return off_loop.leave(self._outcome(error))
        self._outcome(error)()
        return _DONE

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Guard every call of a function or coroutine function.

        Raises:
            TypeError: It is a generator, which runs after its call: guard the loop over it.
        """
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise TypeError(f"{function!r} is a generator: guard the block that runs it")
        if iscoroutinefunction(function):
            return cast("Callable[Parameters, Result]", self._guard_coroutine(function))
        return self._guard_function(function)

    def _guard_function(
        self, function: Callable[Parameters, Result]
    ) -> Callable[Parameters, Result]:
        ledger, agent_id, lease, suspects = self._parts()

        @wraps(function)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if agent_id in suspects:
                with Guard(ledger, agent_id, lease):
                    return function(*args, **kwargs)
            try:
                return function(*args, **kwargs)
            except Exception as error:
                ledger.fail(agent_id, failure_type_of(error), permit=0)
                raise

        return guarded

    def _guard_coroutine(
        self, function: Callable[Parameters, Awaitable[Result]]
    ) -> Callable[Parameters, Awaitable[Result]]:
        ledger, agent_id, lease, suspects = self._parts()

        @wraps(function)
        async def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if agent_id in suspects:
                async with Guard(ledger, agent_id, lease):
                    return await function(*args, **kwargs)
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                ledger.fail(agent_id, failure_type_of(error), permit=0)
                raise

        return guarded

    def _parts(self) -> tuple[Ledger, str, float, Container[str]]:
        """What a guarded call needs: variables of its own are read faster than attributes."""
        return self._ledger, self.agent_id, self._lease, self._ledger.suspects

    def _enter(self) -> None:
        self.ask(self._lease)
        refusal = self._refusal
        if refusal is not None and not self._ledger.shadow:
            raise CircuitOpenError(self.agent_id, refusal.retry_after, refusal.reason)

    def _outcome(self, error: BaseException | None) -> Callable[[], None]:
        """What to call at the end of the block; does not hold the error."""
        if error is None:
            return self.success
        if isinstance(error, Exception):
            return partial(self.failure, failure_type_of(error))
        return self.release


def known_type(name: str | None, retry_after: float | None) -> FailureType | None:
    """The failure type of that name.

    Raises:
        ValueError: There is none, or a Retry-After comes with another one than `rate_limit`, is
            negative or not finite.
    """
    try:
        known = _TYPES[name]
    except KeyError:
        types = ", ".join(FailureType)
        raise ValueError(f"unknown failure type {name!r}; known: {types}") from None
    if retry_after is not None:
        if known is not FailureType.RATE_LIMIT:
            raise ValueError("retry_after comes with rate_limit only")
        if not 0 <= retry_after < inf:
            raise ValueError(f"retry_after must be finite and not negative, not {retry_after!r}")
    return known
