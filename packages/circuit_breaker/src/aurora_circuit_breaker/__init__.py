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
from .state import Change, Forced, State
from .stores import Store, StoreDownError

__all__ = [
    "Backoff",
    "Change",
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
    "Forced",
    "Guard",
    "HealthStatus",
    "Kind",
    "Permit",
    "ProbeStarted",
    "SlowCalls",
    "State",
    "Store",
    "StoreDownError",
    "StoreEvent",
    "StoreLost",
    "StoreRecovered",
    "get_circuit_breaker",
]
