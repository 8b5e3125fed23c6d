"""Passes on what a breaker tells of the circuits of a run."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

from aurora_circuit_breaker import (
    CircuitBreaker,
    CircuitClosed,
    CircuitOpened,
    Event,
    ProbeStarted,
)
from aurora_soar.events import CircuitChanged, RunEvent

__all__ = ["circuits_told"]


@contextmanager
def circuits_told(
    breaker: CircuitBreaker, agents: Container[str], emit: Callable[[RunEvent], None]
) -> Iterator[None]:
    """Tell of these agents' circuits, as long as it is entered."""

    def heard(event: Event) -> None:
        match event:
            case CircuitOpened(agent_id, health) if agent_id in agents:
                failures, wait = health["failure_count"], health["time_until_next_probe"]
                emit(CircuitChanged(agent_id, "open", failures, wait))
            case ProbeStarted(agent_id, health) if agent_id in agents:
                emit(CircuitChanged(agent_id, "half_open", health["failure_count"]))
            case CircuitClosed(agent_id) if agent_id in agents:
                emit(CircuitChanged(agent_id, "closed"))

    forget = breaker.on_change(heard)
    try:
        yield
    finally:
        forget()
