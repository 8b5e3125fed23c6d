"""One circuit of each library whose state lives in Redis: what a worker process holds.

Each opens at `threshold` failures, lets a caller through `reset` seconds later, and gives the slot
of a lost probe back after `LEASE` seconds, where the library knows such a thing.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

LEASE = 1.5
"""Seconds. Above the reset time: with interlock-cb, all that is known lasts for as long only."""


class SharedCircuit(Protocol):
    """One circuit that processes share.

    Attributes:
        refused: What a caller gets who may not run.
    """

    refused: type[Exception]

    def call(self, work: Callable[[], None]) -> None:
        """Do the work if the circuit lets it through; raise `refused` or what the work raises."""
        ...

    def flush(self) -> None:
        """Return once the server knows what was told."""
        ...


class Aurora:
    def __init__(self, url: str, threshold: int, reset: float) -> None:
        from aurora_circuit_breaker import CircuitBreaker, CircuitOpenError
        from aurora_circuit_breaker.stores.redis import RedisStore

        self.refused = CircuitOpenError
        self._breaker = CircuitBreaker(
            failure_threshold=threshold,
            fast_fail_threshold=threshold,
            reset_timeout=reset,
            store=RedisStore(url),
        )

    def call(self, work: Callable[[], None]) -> None:
        with self._breaker.guard("it", lease=LEASE):
            work()

    def flush(self) -> None:
        """Nothing is told behind the caller's back."""


class Interlock:
    def __init__(self, url: str, threshold: int, reset: float) -> None:
        import interlock
        import redis
        from interlock.integrations.redis import RedisStorage

        self.refused = interlock.CircuitOpenError
        self._breaker = interlock.CircuitBreaker(
            name="it",
            config=interlock.Config(
                minimum_number_of_calls=threshold,
                permitted_calls_in_half_open=1,
                wait_duration_in_open=reset,
            ),
            storage=RedisStorage(redis.Redis.from_url(url), state_ttl=LEASE, poll_interval=0.05),
        )

    def call(self, work: Callable[[], None]) -> None:
        self._breaker.call_sync(work)

    def flush(self) -> None:
        coordinator = self._breaker._engine._sync_coordinator
        assert coordinator is not None
        coordinator.wait_idle()


class Purgatory:
    """In its asynchronous form: the other one, in 3.0.1, makes an asynchronous client too."""

    def __init__(self, url: str, threshold: int, reset: float) -> None:
        import purgatory
        from purgatory.domain.model import OpenedState

        self.refused = OpenedState
        self._factory = purgatory.AsyncCircuitBreakerFactory(
            default_threshold=threshold,
            default_ttl=reset,
            uow=purgatory.AsyncRedisUnitOfWork(url),
        )
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._factory.initialize())

    def call(self, work: Callable[[], None]) -> None:
        async def guarded() -> None:
            async with await self._factory.get_breaker("it"):
                work()

        self._loop.run_until_complete(guarded())

    def flush(self) -> None:
        """Nothing is told behind the caller's back."""


class Pybreaker:
    def __init__(self, url: str, threshold: int, reset: float) -> None:
        import pybreaker
        import redis

        self.refused = pybreaker.CircuitBreakerError
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=threshold,
            reset_timeout=reset,
            state_storage=pybreaker.CircuitRedisStorage(
                pybreaker.STATE_CLOSED, redis.Redis.from_url(url)
            ),
        )

    def call(self, work: Callable[[], None]) -> None:
        self._breaker.call(work)

    def flush(self) -> None:
        """Nothing is told behind the caller's back."""


SHARED: dict[str, Callable[[str, int, float], SharedCircuit]] = {
    "aurora-circuit-breaker": Aurora,
    "interlock-cb": Interlock,
    "purgatory": Purgatory,
    "pybreaker": Pybreaker,
}
"""By the name of the distribution."""
