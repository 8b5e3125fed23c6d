"""The timeline's axis: where a moment stands, with long idle stretches collapsed; pure.

Places are percent of the width, so that a page needs no script to fit its window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aurora_spawner import format_duration

__all__ = ["Axis", "Gap", "Tick"]

# A stretch in which nobody works is collapsed when it is longer than this, milliseconds, and than
# this share of the run. Retries wait for seconds, provider's limits for hours.
_IDLE_MS = 30_000
_IDLE_SHARE = 0.1

# How wide a collapsed stretch is drawn, percent; less than its share of the run.
_GAP_WIDTH = 4.0

_TICKS = 8
# Closer than this, percent, labels would run into each other.
_APART = 8.0

_SECOND, _MINUTE, _HOUR = 1000, 60_000, 3_600_000
_STEPS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(each * _SECOND for each in (1, 2, 5, 10, 15, 30)),
    *(each * _MINUTE for each in (1, 2, 5, 10, 15, 30)),
    *(each * _HOUR for each in (1, 2, 4, 8, 12, 24, 48, 96)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment that is named: its place in percent, and what it is called."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A collapsed stretch: place and width in percent, and how long it is in truth."""

    x: float
    width: float
    label: str


class Axis:
    """From milliseconds to places.

    Args:
        total: The run's length, milliseconds.
        work: The stretches in which somebody worked, as pairs of milliseconds, in any order.
    """

    def __init__(self, total: int, work: Iterable[tuple[int, int]]) -> None:
        self._total = max(total, 1)
        worked = sorted((start, end) for start, end in work if end > start)
        self._gaps = list(_idle(self._total, worked))
        shown = self._total - sum(end - start for start, end in self._gaps)
        self._scale = (100.0 - _GAP_WIDTH * len(self._gaps)) / max(shown, 1)
        # The moments at which the scale changes, and the place of each.
        self._moments, self._places = [0], [0.0]
        for start, end in self._gaps:
            place = self._places[-1] + (start - self._moments[-1]) * self._scale
            self._moments += [start, end]
            self._places += [place, place + _GAP_WIDTH]

    def place(self, moment: float) -> float:
        """Where a moment stands, percent; it lies within the run."""
        moment = min(max(moment, 0), self._total)
        at = bisect_right(self._moments, moment) - 1
        beyond = moment - self._moments[at]
        in_gap = at % 2 == 1
        scale = self._scale
        if in_gap:
            scale = _GAP_WIDTH / (self._moments[at + 1] - self._moments[at])
        return min(self._places[at] + beyond * scale, 100.0)

    def gaps(self) -> list[Gap]:
        """The collapsed stretches."""
        return [
            Gap(self.place(start), _GAP_WIDTH, format_duration((end - start) / 1000))
            for start, end in self._gaps
        ]

    def ticks(self) -> list[Tick]:
        """Round moments, far enough from each other and from what is collapsed."""
        shown = self._total - sum(end - start for start, end in self._gaps)
        step = next((each for each in _STEPS if shown / each <= _TICKS), _STEPS[-1])
        ticks: list[Tick] = []
        for moment in self._round_moments(step):
            place = self.place(moment)
            if (not ticks or place - ticks[-1].x >= _APART) and place <= 100 - _APART / 2:
                ticks.append(Tick(place, _label(moment, step)))
        return ticks

    def _round_moments(self, step: int) -> Iterator[int]:
        """Multiples of `step` outside of the collapsed stretches."""
        start = 0
        for gap_start, gap_end in [*self._gaps, (self._total, self._total)]:
            yield from range(-(-start // step) * step, gap_start + 1, step)
            start = gap_end


def _idle(total: int, work: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The long stretches in which nobody works; none if nobody ever does."""
    longest = max(_IDLE_MS, total * _IDLE_SHARE)
    busy_until = 0
    for start, end in [*work, (total, total)] if work else []:
        if start - busy_until > longest:
            yield busy_until, start
        busy_until = max(busy_until, end)


def _label(moment: int, step: int) -> str:
    return f"{moment / 1000:g}s" if step < _SECOND else format_duration(moment / 1000)
