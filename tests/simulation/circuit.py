"""What the contract says of one agent's circuit, as plainly as it can be written."""

from __future__ import annotations

from collections.abc import Mapping

from aurora_spawner import FailureType

__all__ = ["Circuit"]

_HARD = frozenset(
    {"crash", "error_pattern", "auth", "forbidden", "not_found", "invalid_model", "invalid_request"}
)
_NOT_ITS_FAULT = frozenset({"rate_limit", "check_failed"})


class Circuit:
    """One agent's circuit, as it should be.

    Args:
        settings: The thresholds and times of the breaker that differ from its defaults.
        adhoc: Whether the agent was generated for the run.
    """

    def __init__(self, settings: Mapping[str, float], *, adhoc: bool) -> None:
        self._adhoc = adhoc
        self._threshold = settings["adhoc_failure_threshold" if adhoc else "failure_threshold"]
        self._window = settings["failure_window"]
        self._reset = settings["reset_timeout"]
        self._close_by = 30.0 if adhoc else 10.0
        self._failures: list[tuple[float, FailureType | None]] = []
        self._open_until: float | None = None
        self._probe: int | None = None
        self._numbers = 0
        self._since = 0

    def phase(self, now: float) -> str:
        """What it is called."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def refusal(self, now: float) -> str | None:
        """Why nobody may enter now; None if somebody may."""
        phase = self.phase(now)
        if phase == "half_open" and self._probe is not None:
            return "being probed"
        return phase if phase == "open" else None

    def enter(self, now: float) -> int:
        """Somebody enters; gives back a ticket."""
        self._numbers += 1
        if self._open_until is not None:
            self._probe = self._numbers
        return self._numbers

    def leave(self, now: float, ticket: int, how: str, failure: FailureType | None) -> None:
        """Whoever has the ticket leaves, with a `success`, a `failure` or `nothing` to tell."""
        is_probe = ticket == self._probe
        if is_probe:
            self._probe = None
        elif self._open_until is not None or ticket <= self._since:
            return  # admitted before the last change
        if how == "nothing" or failure in _NOT_ITS_FAULT:
            return
        if how == "success":
            if is_probe:
                self._open_until, self._failures, self._since = None, [], self._numbers
            return
        self._failures = [each for each in self._failures if each[0] >= now - self._window]
        self._failures.append((now, failure))
        if is_probe or self._opens(now):
            self._open_until, self._since = now + self._reset, self._numbers

    def _opens(self, now: float) -> bool:
        if len(self._failures) >= self._threshold:
            return True
        close = [kind for at, kind in self._failures if at >= now - self._close_by]
        return len(close) >= 2 and (not self._adhoc or all(kind in _HARD for kind in close))
