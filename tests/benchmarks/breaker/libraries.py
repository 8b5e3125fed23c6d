"""Every library that is compared, each in the quickest form of its own documentation.

A library gives functions to be timed; a form that it does not have is None. All are healthy and
none is set to anything but generous thresholds, so that no figure is about opening unless it says
so. A name that many circuits are looked up by is a key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

AsyncCall = Callable[[], Awaitable[Any]]
SyncCall = Callable[[], Any]
Loop = Callable[[int], Any]
AsyncLoop = Callable[[int], Coroutine[Any, Any, None]]

NEVER = 10**9
"""A threshold out of reach."""


async def empty() -> None:
    """What an asynchronous call is compared with."""


def nothing() -> None:
    """The same for synchronous calls."""


def fails() -> None:
    """A call that fails."""
    raise ZeroDivisionError


class Library:
    """What a library can do; each answer may be None, for what it does not have."""

    distribution: str
    module: str

    @classmethod
    def version(cls) -> str | None:
        """Its version, None if it is not there."""
        try:
            import_module(cls.module)
            return version(cls.distribution)
        except (ImportError, PackageNotFoundError):
            return None

    def async_call(self) -> AsyncCall | None:
        """A decorated empty coroutine function."""

    def sync_call(self) -> SyncCall | None:
        """A decorated empty function."""

    def sync_block(self) -> Loop | None:
        """Enter and leave `with` so many times, with nothing in it."""

    def async_block(self) -> AsyncLoop | None:
        """Enter and leave `async with` so many times, with nothing in it."""

    def by_key(self, keys: Sequence[str]) -> AsyncLoop | None:
        """Await the guarded empty function once for each of so many keys in turn."""

    def ask_when_open(self, keys: Sequence[str]) -> Loop | None:
        """Ask circuits that are open whether they are, in turn."""

    def tell_failure(self, keys: Sequence[str]) -> Loop | None:
        """Tell circuits that something failed, in turn, without a call."""

    def healthy(self, key: str) -> Any:
        """Guard one call that succeeds; what must be kept for this key."""

    def failed(self, key: str) -> Any:
        """Guard one call that fails; what must be kept for this key."""


class Aurora(Library):
    distribution = "aurora-circuit-breaker"
    module = "aurora_circuit_breaker"

    def __init__(self) -> None:
        from aurora_circuit_breaker import CircuitBreaker

        self._make = CircuitBreaker
        self._breaker = CircuitBreaker()

    def async_call(self) -> AsyncCall:
        return self._breaker.guard("it")(empty)

    def sync_call(self) -> SyncCall:
        return self._breaker.guard("it")(nothing)

    def sync_block(self) -> Loop:
        guard = self._breaker.guard

        def loop(times: int) -> None:
            for _ in range(times):
                with guard("it"):
                    pass

        return loop

    def async_block(self) -> AsyncLoop:
        guard = self._breaker.guard

        async def loop(times: int) -> None:
            for _ in range(times):
                async with guard("it"):
                    pass

        return loop

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        guard = self._breaker.guard

        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                with guard(key):
                    await empty()

        return loop

    def ask_when_open(self, keys: Sequence[str]) -> Loop:
        breaker = self._make()
        for key in keys:
            breaker.record_failure(key)
            breaker.record_failure(key)
        return each(breaker.should_skip, keys)

    def tell_failure(self, keys: Sequence[str]) -> Loop:
        return each(self._make().record_failure, keys)

    def healthy(self, key: str) -> None:
        with self._breaker.guard(key):
            pass

    def failed(self, key: str) -> None:
        self._breaker.record_failure(key)


class Circuitbreaker(Library):
    distribution = module = "circuitbreaker"

    def _new(self) -> Any:
        from circuitbreaker import CircuitBreaker

        return CircuitBreaker(failure_threshold=NEVER)

    def async_call(self) -> AsyncCall:
        return self._new().decorate(empty)

    def sync_call(self) -> SyncCall:
        return self._new().decorate(nothing)

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        calls = {key: self._new().decorate(empty) for key in keys}

        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                await calls[key]()

        return loop

    def ask_when_open(self, keys: Sequence[str]) -> Loop:
        from circuitbreaker import CircuitBreaker

        breakers = {key: CircuitBreaker(failure_threshold=1) for key in keys}
        for breaker in breakers.values():
            fail(breaker.decorate(fails))

        def loop(times: int) -> None:
            for key in in_turn(keys, times):
                breakers[key].opened  # noqa: B018  a property is how it is asked

        return loop

    def healthy(self, key: str) -> Any:
        breaker = self._new()
        breaker.call(nothing)
        return breaker

    def failed(self, key: str) -> Any:
        breaker = self._new()
        fail(lambda: breaker.call(fails))
        return breaker


class Hyx(Library):
    distribution = module = "hyx"

    def _new(self, threshold: int = NEVER) -> Any:
        from hyx.circuitbreaker import consecutive_breaker

        return consecutive_breaker(failure_threshold=threshold)

    def async_call(self) -> AsyncCall:
        return self._new()(empty)

    def async_block(self) -> AsyncLoop:
        breaker = self._new()

        async def loop(times: int) -> None:
            for _ in range(times):
                async with breaker:
                    pass

        return loop

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        calls = {key: self._new()(empty) for key in keys}

        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                await calls[key]()

        return loop

    def healthy(self, key: str) -> Any:
        breaker = self._new()
        run(breaker(empty)())
        return breaker

    def failed(self, key: str) -> Any:
        breaker = self._new()

        async def fails_too() -> None:
            raise ZeroDivisionError

        fail(lambda: run(breaker(fails_too)()))
        return breaker


class Purgatory(Library):
    distribution = module = "purgatory"

    def __init__(self) -> None:
        from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory

        self._async = AsyncCircuitBreakerFactory(default_threshold=NEVER)
        self._sync = SyncCircuitBreakerFactory(default_threshold=NEVER)

    def async_call(self) -> AsyncCall:
        return self._async("it")(empty)

    def sync_call(self) -> SyncCall:
        return self._sync("it")(nothing)

    def sync_block(self) -> Loop:
        def loop(times: int) -> None:
            for _ in range(times):
                with self._sync.get_breaker("it"):
                    pass

        return loop

    def async_block(self) -> AsyncLoop:
        async def loop(times: int) -> None:
            for _ in range(times):
                async with await self._async.get_breaker("it"):
                    pass

        return loop

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                async with await self._async.get_breaker(key):
                    await empty()

        return loop

    def healthy(self, key: str) -> None:
        with self._sync.get_breaker(key):
            pass

    def failed(self, key: str) -> None:
        def failing() -> None:
            with self._sync.get_breaker(key):
                fails()

        fail(failing)


class Aiobreaker(Library):
    distribution = module = "aiobreaker"

    def _new(self, threshold: int = NEVER) -> Any:
        from aiobreaker import CircuitBreaker

        return CircuitBreaker(fail_max=threshold, timeout_duration=timedelta(hours=1))

    def async_call(self) -> AsyncCall:
        return self._new()(empty)

    def sync_call(self) -> SyncCall:
        return self._new()(nothing)

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        breakers = {key: self._new() for key in keys}

        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                await breakers[key].call_async(empty)

        return loop

    def ask_when_open(self, keys: Sequence[str]) -> Loop:
        breakers = {key: self._new(1) for key in keys}
        for breaker in breakers.values():
            breaker.open()

        def loop(times: int) -> None:
            for key in in_turn(keys, times):
                breakers[key].current_state  # noqa: B018  a property is how it is asked

        return loop

    def healthy(self, key: str) -> Any:
        breaker = self._new()
        breaker.call(nothing)
        return breaker

    def failed(self, key: str) -> Any:
        breaker = self._new()
        fail(lambda: breaker.call(fails))
        return breaker


class Pybreaker(Library):
    distribution = module = "pybreaker"

    def _new(self, threshold: int = NEVER) -> Any:
        from pybreaker import CircuitBreaker

        return CircuitBreaker(fail_max=threshold, reset_timeout=3600)

    def sync_call(self) -> SyncCall:
        return self._new()(nothing)

    def sync_block(self) -> Loop:
        breaker = self._new()

        def loop(times: int) -> None:
            for _ in range(times):
                with breaker.calling():
                    pass

        return loop

    def ask_when_open(self, keys: Sequence[str]) -> Loop:
        breakers = {key: self._new(1) for key in keys}
        for breaker in breakers.values():
            breaker.open()

        def loop(times: int) -> None:
            for key in in_turn(keys, times):
                breakers[key].current_state  # noqa: B018  a property is how it is asked

        return loop

    def healthy(self, key: str) -> Any:
        breaker = self._new()
        breaker.call(nothing)
        return breaker

    def failed(self, key: str) -> Any:
        breaker = self._new()
        fail(lambda: breaker.call(fails))
        return breaker


class Interlock(Library):
    distribution = "interlock-cb"
    module = "interlock"

    def _new(self, calls: int = 100) -> Any:
        from interlock import CircuitBreaker, Config

        return CircuitBreaker(name="it", config=Config(minimum_number_of_calls=calls))

    def async_call(self) -> AsyncCall:
        return self._new()(empty)

    def sync_call(self) -> SyncCall:
        return self._new()(nothing)

    def sync_block(self) -> Loop:
        breaker = self._new()

        def loop(times: int) -> None:
            for _ in range(times):
                with breaker:
                    pass

        return loop

    def async_block(self) -> AsyncLoop:
        breaker = self._new()

        async def loop(times: int) -> None:
            for _ in range(times):
                async with breaker:
                    pass

        return loop

    def by_key(self, keys: Sequence[str]) -> AsyncLoop:
        breakers = {key: self._new() for key in keys}

        async def loop(times: int) -> None:
            for key in in_turn(keys, times):
                await breakers[key].call_async(empty)

        return loop

    def ask_when_open(self, keys: Sequence[str]) -> Loop:
        breakers = {key: self._new(1) for key in keys}
        for breaker in breakers.values():
            fail(breaker(fails))

        def loop(times: int) -> None:
            for key in in_turn(keys, times):
                breakers[key].state  # noqa: B018  a property is how it is asked

        return loop

    def healthy(self, key: str) -> Any:
        breaker = self._new()
        breaker.call_sync(nothing)
        return breaker

    def failed(self, key: str) -> Any:
        breaker = self._new()
        fail(breaker(fails))
        return breaker


def in_turn(keys: Sequence[str], times: int) -> Sequence[str]:
    """So many keys, one after the other, from the first on."""
    return (keys * (times // len(keys) + 1))[:times]


def each(function: Callable[[str], Any], keys: Sequence[str]) -> Loop:
    """A loop that calls a function with key after key."""

    def loop(times: int) -> None:
        for key in in_turn(keys, times):
            function(key)

    return loop


def fail(call: SyncCall) -> None:
    """Make a call that fails, or is refused in place of it."""
    try:
        call()
    except Exception:
        return


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return


LIBRARIES: tuple[type[Library], ...] = (
    Aurora,
    Circuitbreaker,
    Hyx,
    Purgatory,
    Aiobreaker,
    Pybreaker,
    Interlock,
)
