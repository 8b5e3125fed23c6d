"""How many may run at once through one tool, from what its provider says; pure.

Additive increase, multiplicative decrease, as TCP has done since 1988 (Jacobson): a limit that is
met halves how many may run, and each success lets a fraction of one more in. Several that meet the
same limit together count once: who started before the last cut proves nothing about what is
allowed since.

A limit also parks the tool: nothing starts until the time that the provider named, or for
`FIRST_PARK` seconds, doubled each time up to `LONGEST_PARK`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["FIRST_PARK", "LONGEST_PARK", "Throttle"]

FIRST_PARK = 15.0
"""Seconds; providers count requests by the minute, so a quarter of one frees some."""

LONGEST_PARK = 300.0
"""Seconds; asking in vain every five minutes costs nothing."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """What is allowed through one tool.

    Attributes:
        ceiling: How many at once at most.
        allowed: How many at once now; a fraction is on its way to one more.
        cut_at: When that was cut last, seconds; None if it never was.
        parked_until: Nothing starts before, seconds; None if the tool is not parked.
        streak: Cuts in a row, without a success in between.
    """

    ceiling: float
    allowed: float
    cut_at: float | None = None
    parked_until: float | None = None
    streak: int = 0

    @classmethod
    def open(cls, ceiling: float) -> Throttle:
        """One that has met no limit."""
        return cls(ceiling, ceiling)

    def may_start(self, running: int) -> bool:
        """Whether one more may run beside those that do."""
        return self.parked_until is None and running < max(1, int(self.allowed))

    def limited(
        self, *, now: float, started: float, running: int, retry_after: float | None
    ) -> Throttle:
        """An attempt met the provider's limit.

        Args:
            now: Seconds.
            started: When the attempt started.
            running: How many run through the tool, this one included.
            retry_after: Seconds that the provider asks to wait; None if it does not say.
        """
        news = self.cut_at is None or started >= self.cut_at
        streak = self.streak + news
        wait = retry_after
        if wait is None:
            # Told again of what is known, without a time: the park stands as it is.
            if not news and self.parked_until is not None:
                return self
            wait = min(FIRST_PARK * 2.0 ** (streak - 1), LONGEST_PARK)
        until = max(now + wait, self.parked_until or now)
        parked = replace(self, parked_until=until, streak=streak)
        if not news:
            return parked
        return replace(parked, cut_at=now, allowed=max(1.0, min(self.allowed, running) / 2))

    def succeeded(self) -> Throttle:
        """An attempt got its answer."""
        grown = min(self.ceiling, self.allowed + 1 / self.allowed)
        if grown == self.allowed and not self.streak:
            return self
        return replace(self, allowed=grown, streak=0)

    def resumed(self) -> Throttle:
        """The park is over."""
        return replace(self, parked_until=None)
