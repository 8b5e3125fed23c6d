"""What a person wants to know about one agent, as plain data."""

from math import isfinite
from typing import TypedDict

from .policy import Rules
from .state import (
    Closed,
    Open,
    Phase,
    State,
    blocked_for,
    next_failure_opens,
    phase,
    recent,
    recent_types,
)

_RISK_WHEN_NOT_CLOSED = {
    Phase.OPEN: "critical",
    Phase.HALF_OPEN: "high",
    Phase.FORCED_OPEN: "critical",
    Phase.FORCED_CLOSED: "low",
}


class HealthStatus(TypedDict):
    """The health of one agent; times are seconds on the store's clock.

    Attributes:
        agent_id: Of whom it is.
        state: `closed`, `open` or `half_open`; `limited`, closed but for the wait that a provider
            asked for; `forced_open` or `forced_closed`.
        failure_count: Closed: failures within the window. Otherwise: failures that opened the
            circuit and failures told since.
        recent_failures: Failures within the window, the latest 32 at most once it opened.
        failure_velocity: Recent failures per minute.
        risk_level: `low`; `medium` if there were failures and the next one can open the circuit;
            `high` half open; `critical` open.
        last_failure_time: None without a failure.
        time_since_last_failure: Seconds; None without a failure.
        failure_types: Types of the failures and of the rate limits, oldest first, the latest 32
            at most.
        can_execute: Whether a caller would be let in now.
        next_probe_time: When the next caller is let in, at the latest: of an open circuit its
            first probe, of a limited one everybody. None if that is now, or never.
        time_until_next_probe: Seconds; None as above.
    """

    agent_id: str
    state: str
    failure_count: int
    recent_failures: int
    failure_velocity: float
    risk_level: str
    last_failure_time: float | None
    time_since_last_failure: float | None
    failure_types: list[str]
    can_execute: bool
    next_probe_time: float | None
    time_until_next_probe: float | None


def health_status(
    agent_id: str, state: State, now: float, rules: Rules, slots: int, shadow: bool
) -> HealthStatus:
    """Describe one state, as plain data.

    Args:
        agent_id: Whose state it is.
        state: What is known of the agent.
        now: Seconds on the clock of the state.
        rules: The agent's.
        slots: How many probes may run at a time.
        shadow: Whether everybody is let in, whatever the state.
    """
    current = phase(state, now)
    times = recent(state, now, rules)
    known = state.times if isinstance(state, Open) else times
    wait = blocked_for(state, now, slots)
    waits = wait > 0 and isfinite(wait)
    return HealthStatus(
        agent_id=agent_id,
        state=current.value,
        failure_count=state.total if isinstance(state, Open) else len(times),
        recent_failures=len(times),
        failure_velocity=velocity(times, now),
        risk_level=_risk_level(state, now, rules),
        last_failure_time=known[-1] if known else None,
        time_since_last_failure=now - known[-1] if known else None,
        failure_types=[failure_type.value for failure_type in recent_types(state, now, rules)],
        can_execute=shadow or wait <= 0,
        next_probe_time=now + wait if waits else None,
        time_until_next_probe=wait if waits else None,
    )


def velocity(times: tuple[float, ...], now: float) -> float:
    """Failures per minute since the first of them; 0 below two.

    At least one second is taken to have passed, so that failures at one instant stay finite.
    """
    return 60 * len(times) / max(now - times[0], 1.0) if len(times) >= 2 else 0.0


def _risk_level(state: State, now: float, rules: Rules) -> str:
    if not isinstance(state, Closed):
        return _RISK_WHEN_NOT_CLOSED[phase(state, now)]
    if recent(state, now, rules) and next_failure_opens(state, now, rules):
        return "medium"
    return "low"
