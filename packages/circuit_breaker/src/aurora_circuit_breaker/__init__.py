"""Decides whether an agent may run."""

from .breaker import CircuitBreaker, CircuitOpenError, Permit, get_circuit_breaker
from .health import HealthStatus
from .policy import FailureType, Kind

__all__ = [
    "CircuitBreaker",
    "CircuitOpenError",
    "FailureType",
    "HealthStatus",
    "Kind",
    "Permit",
    "get_circuit_breaker",
]
