"""When a run will be done, guessed from how long its subgoals took so far; pure.

The durations of those that are done and of those that still run (which will take longer than they
have by now: they are censored) give a survival curve, after Kaplan and Meier (1958). With its
quartiles the rest of the plan is scheduled twice, and the two ends make a range. The mean is never
used: one agent that hangs would own it. Below five durations there is no guess.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from aurora_soar.views.board import Board, Row
from aurora_spawner import format_duration

__all__ = ["ENOUGH", "Forecast", "Range", "Survival", "remaining", "slow_rows"]

ENOUGH = 5
"""Durations that a guess needs: below five, quartiles are nothing but the durations themselves."""

_LOW, _HIGH = 0.25, 0.75

# A subgoal is slow when it has taken twice as long as nine of ten took in all, and not before this,
# seconds: among programs that end at once, everything else would be slow.
_SLOW_SHARE, _SLOW_FACTOR, _SLOW_AT_LEAST = 0.9, 2.0, 30.0


class Survival:
    """How many last longer than how long.

    Args:
        ended: Seconds that each of those took that have ended.
        running: Seconds that each of the others has taken so far.
    """

    def __init__(self, ended: Sequence[float], running: Sequence[float] = ()) -> None:
        self._times: list[float] = []
        self._shares: list[float] = []
        at_risk = len(ended) + len(running)
        share = 1.0
        deaths, left = Counter(ended), Counter(running)
        for time in sorted(deaths | left):
            if deaths[time]:
                share *= 1 - deaths[time] / at_risk
                self._times.append(time)
                self._shares.append(share)
            at_risk -= deaths[time] + left[time]

    def share_beyond(self, seconds: float) -> float:
        """Of all, the share that takes longer than this."""
        place = bisect_right(self._times, seconds)
        return self._shares[place - 1] if place else 1.0

    def quantile(self, part: float, elapsed: float = 0.0) -> float | None:
        """Seconds within which `part` of those are done that have taken `elapsed` so far.

        None where nothing that ended has taken so long: nobody knows.
        """
        limit = self.share_beyond(elapsed) * (1 - part)
        for time, share in zip(self._times, self._shares, strict=True):
            # A hair's breadth: shares are products of fractions.
            if time > elapsed and share <= limit + 1e-9:
                return time
        return None


@dataclass(frozen=True, slots=True)
class Range:
    """A guess of seconds: at least about `low`, at most about `high`; None: nobody knows."""

    low: float
    high: float | None


def remaining(board: Board, now: float) -> Range | None:
    """Seconds until everything is done; None below `ENOUGH` durations."""
    ended = _ended(board)
    if len(ended) < ENOUGH:
        return None
    curve = Survival(ended, [row.seconds(now) or 0.0 for row in _running(board)])
    low, _ = _schedule(board, now, curve, _LOW)
    high, known = _schedule(board, now, curve, _HIGH)
    return Range(low, max(low, high) if known else None)


def slow_rows(board: Board, now: float) -> set[str]:
    """Ids of the subgoals that have been under way for longer than nearly all that are done."""
    ended = _ended(board)
    if len(ended) < ENOUGH:
        return set()
    usual = sorted(ended)[int(len(ended) * _SLOW_SHARE)]
    limit = max(usual * _SLOW_FACTOR, _SLOW_AT_LEAST)
    return {row.id for row in _running(board) if (row.seconds(now) or 0.0) > limit}


class Forecast:
    """The guess in words, frozen while a tool is parked."""

    def __init__(self) -> None:
        self._said = ""

    def said(self, board: Board, now: float) -> str:
        """What there is to say about the end; empty once everything is done."""
        if all(row.output is not None for row in board.rows):
            return ""
        if not board.parked or not self._said:
            self._said = _words(remaining(board, now), len(_ended(board)))
        return f"{self._said} (frozen)" if board.parked else self._said


def _words(guess: Range | None, durations: int) -> str:
    if guess is None:
        return f"no finish estimate yet ({durations} of {ENOUGH} durations)"
    low = format_duration(_rounded(guess.low))
    if guess.high is None:
        return f"done in about {low} or more"
    high = format_duration(_rounded(guess.high))
    return f"done in about {low}" if low == high else f"done in about {low} to {high}"


def _rounded(seconds: float) -> float:
    """No finer than the guess is: to 5 s below a minute, 15 s below ten, else whole minutes."""
    step = 5 if seconds < 60 else 15 if seconds < 600 else 60
    return max(round(seconds / step), 1) * step


def _ended(board: Board) -> list[float]:
    return [
        row.finished - row.started
        for row in board.rows
        if row.finished is not None and row.started is not None
    ]


def _running(board: Board) -> list[Row]:
    return [row for row in board.rows if row.is_under_way]


def _schedule(board: Board, now: float, curve: Survival, part: float) -> tuple[float, bool]:
    """Seconds that the rest takes if everything lasts as long as `part` of all do.

    Also whether that is known of everything; what is not counts as over now.
    """
    known = True
    whole = curve.quantile(part)
    # When each subgoal under way ends, and who waits for how many others.
    ends: list[tuple[float, str]] = []
    for row in _running(board):
        elapsed = row.seconds(now) or 0.0
        guess = curve.quantile(part, elapsed)
        known = known and guess is not None
        ends.append((0.0 if guess is None else guess - elapsed, row.id))
    heapq.heapify(ends)
    open_ids = {row.id for row in board.rows if row.output is None}
    waiting = {row.id: open_ids.intersection(row.needs) for row in board.rows}
    under_way = {name for _, name in ends}
    dependents: dict[str, list[str]] = {}
    for row in board.rows:
        for needed in waiting[row.id] if row.id in open_ids else ():
            dependents.setdefault(needed, []).append(row.id)
    ready = deque(
        row.id
        for row in board.rows
        if row.id in open_ids and row.id not in under_way and not waiting[row.id]
    )
    known = known and (whole is not None or not open_ids - under_way)
    time = 0.0
    while ends or ready:
        while ready and len(ends) < board.limit:
            heapq.heappush(ends, (time + (whole or 0.0), ready.popleft()))
        time, name = heapq.heappop(ends)
        for dependent in dependents.get(name, ()):
            waiting[dependent].discard(name)
            if not waiting[dependent]:
                ready.append(dependent)
    return time, known
