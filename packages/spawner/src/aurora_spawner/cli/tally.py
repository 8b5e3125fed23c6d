"""How far a run is: counts, rate, and a guess at the time that is left; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Tally"]

# Below so many durations a guess says nothing.
_ENOUGH = 5


@dataclass(slots=True)
class Tally:
    """Counts; all times are seconds on one clock.

    Attributes:
        jobs: How many run at once at most.
        total: How many inputs there are; None as long as nobody knows.
        began: When the run began.
        ok: Successes, kept ones included.
        failed: Failures, kept ones included.
        flaky: Successes after a failed attempt.
        kept: Results of an earlier run.
    """

    jobs: int
    total: int | None
    began: float
    ok: int = 0
    failed: int = 0
    flaky: int = 0
    kept: int = 0
    _starts: dict[int, float] = field(default_factory=dict)
    _pausing: set[int] = field(default_factory=set)
    _durations: int = 0
    _spent: float = 0.0

    @property
    def done(self) -> int:
        """Those that have a result."""
        return self.ok + self.failed

    @property
    def running(self) -> int:
        """Those that have a slot."""
        return len(self._starts)

    @property
    def pausing(self) -> int:
        """Those of them that wait for another attempt."""
        return len(self._pausing)

    def started(self, index: int, now: float) -> None:
        """It has its slot."""
        self._starts[index] = now

    def paused(self, index: int) -> None:
        """It waits for another attempt."""
        self._pausing.add(index)

    def resumed(self, index: int) -> None:
        """It is attempted again."""
        self._pausing.discard(index)

    def ended(self, index: int, now: float) -> None:
        """It has a result of its own."""
        self._pausing.discard(index)
        self._spent += now - self._starts.pop(index)
        self._durations += 1

    def count(self, *, success: bool, flaky: bool = False, kept: bool = False) -> None:
        """It has a result, wherever that is from."""
        self.ok += success
        self.failed += not success
        self.flaky += success and flaky
        self.kept += kept

    def rate(self, now: float) -> float | None:
        """Results a second; None before the first."""
        if not self._durations or now <= self.began:
            return None
        return self._durations / (now - self.began)

    def left(self, now: float) -> float | None:
        """A guess at the seconds that are left; None where it would be made up.

        The mean duration, those that still run counted with what they have taken so far (the
        maximum likelihood of an exponential distribution from censored observations); times
        what is left, over what runs at once.
        """
        if self.total is None or self._durations < _ENOUGH:
            return None
        spent = self._spent + sum(now - start for start in self._starts.values())
        left = self.total - self.done
        return left * spent / self._durations / max(1, min(self.jobs, left))
