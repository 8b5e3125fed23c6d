"""Decides whether an agent may run."""

from .breaker import CircuitBreaker, get_circuit_breaker
from .events import (
    CircuitClosed,
    CircuitEvent,
    CircuitForced,
    CircuitLimited,
    CircuitOpened,
    Event,
    FailureCounted,
    ProbeStarted,
    StoreEvent,
    StoreLost,
    StoreRecovered,
)
from .health import HealthStatus
from .permits import CircuitOpenError, Guard, Permit
from .policy import Backoff, FailureRate, FailureType, Kind, SlowCalls

__all__ = [
    "Backoff",
    "CircuitBreaker",
    "CircuitClosed",
    "CircuitEvent",
    "CircuitForced",
    "CircuitLimited",
    "CircuitOpenError",
    "CircuitOpened",
    "Event",
    "FailureCounted",
    "FailureRate",
    "FailureType",
    "Guard",
    "HealthStatus",
    "Kind",
    "Permit",
    "ProbeStarted",
    "SlowCalls",
    "StoreEvent",
    "StoreLost",
    "StoreRecovered",
    "get_circuit_breaker",
]
