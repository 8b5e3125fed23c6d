"""One circuit of each library behind one face, so that a scenario is written once.

Each is made to open at its first failure, to let a caller through `RESET` seconds later, and to
close at the first success of such a caller: the same wishes, in each library's own words.
"""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol

import pytest

from .clock import Clock

RESET = 60.0
"""Seconds from opening until a caller may find out whether it works again."""

Work = Callable[[], Coroutine[Any, Any, None]]


class Circuit(Protocol):
    """One circuit.

    Attributes:
        refused: What a caller gets who may not run.
    """

    refused: type[Exception]

    async def call(self, work: Work) -> None:
        """Do the work if the circuit lets it through; raise `refused` or what the work raises."""
        ...

    def state(self) -> str:
        """`closed`, `open` or `half open`."""
        ...


class Aurora:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        from aurora_circuit_breaker import CircuitBreaker, CircuitOpenError

        self.refused = CircuitOpenError
        self._breaker = CircuitBreaker(
            failure_threshold=1, reset_timeout=RESET, clock=clock.monotonic
        )

    async def call(self, work: Work) -> None:
        async with self._breaker.guard("it"):
            await work()

    def state(self) -> str:
        return self._breaker.get_health_status("it")["state"].replace("_", " ")


class Circuitbreaker:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        import circuitbreaker

        monkeypatch.setattr(circuitbreaker, "monotonic", clock.monotonic)
        self.refused = circuitbreaker.CircuitBreakerError
        self._breaker = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=RESET)

    async def call(self, work: Work) -> None:
        await self._breaker.decorate(work)()

    def state(self) -> str:
        return self._breaker.state.replace("_", " ")


class Aiobreaker:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        import aiobreaker

        for module in (aiobreaker.circuitbreaker, aiobreaker.state):
            monkeypatch.setattr(module, "datetime", clock.datetime_class)
        self.refused = aiobreaker.CircuitBreakerError
        self._breaker = aiobreaker.CircuitBreaker(
            fail_max=1, timeout_duration=timedelta(seconds=RESET)
        )

    async def call(self, work: Work) -> None:
        await self._breaker.call_async(work)

    def state(self) -> str:
        return self._breaker.current_state.name.lower().replace("_", " ")


class Purgatory:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        import purgatory
        from purgatory.domain import model

        monkeypatch.setattr(model, "time", clock.time_module)
        self.refused = model.OpenedState
        self._factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=1, default_ttl=RESET)
        self._context: model.Context | None = None

    async def call(self, work: Work) -> None:
        breaker = await self._factory.get_breaker("it")
        self._context = breaker.context
        async with breaker:
            await work()

    def state(self) -> str:
        names = {"closed": "closed", "opened": "open", "half-opened": "half open"}
        return "closed" if self._context is None else names[self._context.state]


class Hyx:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        from hyx.circuitbreaker import consecutive_breaker, states
        from hyx.circuitbreaker.exceptions import BreakerFailing

        monkeypatch.setattr(states, "datetime", clock.datetime_class)
        self.refused = BreakerFailing
        self._breaker = consecutive_breaker(
            failure_threshold=1, recovery_time_secs=RESET, recovery_threshold=1
        )

    async def call(self, work: Work) -> None:
        async with self._breaker:
            await work()

    def state(self) -> str:
        names = {"working": "closed", "failing": "open", "recovering": "half open"}
        return names[self._breaker.state.name]


class Interlock:
    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        import interlock

        self.refused = interlock.CircuitOpenError
        self._breaker = interlock.CircuitBreaker(
            name="it",
            clock=clock,
            config=interlock.Config(
                minimum_number_of_calls=1,
                permitted_calls_in_half_open=1,
                wait_duration_in_open=RESET,
            ),
        )

    async def call(self, work: Work) -> None:
        await self._breaker.call_async(work)

    def state(self) -> str:
        return self._breaker.state.value.replace("_", " ")


class Pybreaker:
    """Knows no asyncio, only Tornado: takes work that never waits."""

    def __init__(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        import pybreaker

        monkeypatch.setattr(pybreaker, "datetime", clock.datetime_class)
        self.refused = pybreaker.CircuitBreakerError
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=1, reset_timeout=RESET, throw_new_error_on_trip=False
        )

    async def call(self, work: Work) -> None:
        self._breaker.call(at_once, work)

    def state(self) -> str:
        return self._breaker.current_state.replace("-", " ")


def at_once(work: Work) -> None:
    """Run a coroutine that never waits."""
    try:
        work().send(None)
    except StopIteration:
        return
    raise AssertionError("the work waited")


CIRCUITS: dict[str, Callable[[Clock, pytest.MonkeyPatch], Circuit]] = {
    "aurora-circuit-breaker": Aurora,
    "aiobreaker": Aiobreaker,
    "circuitbreaker": Circuitbreaker,
    "hyx": Hyx,
    "interlock-cb": Interlock,
    "purgatory": Purgatory,
    "pybreaker": Pybreaker,
}
"""By the name of the distribution."""
