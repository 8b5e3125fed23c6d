"""How a run shows itself on standard error, where that is no terminal to draw on, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.tally import Tally
from aurora_spawner.cli.words import counts, failure
from aurora_spawner.models import SpawnResult
from aurora_spawner.terminal import safe_line

__all__ = ["PlainView", "SilentView", "View", "dot_for"]

# Seconds without a line after which a reader is told that the run is alive.
_HEARTBEAT = 60.0


class View(Protocol):
    """What a view is to whoever conducts the run; each method may raise OSError."""

    def failed(self, job: Job, result: SpawnResult) -> None:
        """A job has failed."""

    def note(self, text: str) -> None:
        """Something is to be said at once."""

    def tick(self) -> None:
        """Time has passed."""

    def hide(self) -> None:
        """Standard output is about to be written, perhaps to the same terminal."""

    def say(self, text: str) -> None:
        """Say something at the end, as it is; nothing is drawn any more."""


class SilentView:
    """Shows nothing until the end, apart from notes."""

    def failed(self, job: Job, result: SpawnResult) -> None:
        """See `View.failed`."""

    def note(self, text: str) -> None:
        """See `View.note`."""
        self.say(text)

    def tick(self) -> None:
        """See `View.tick`."""

    def hide(self) -> None:
        """See `View.hide`."""

    def say(self, text: str) -> None:
        """See `View.say`."""
        print(safe_line(text), file=sys.stderr, flush=True)


class PlainView(SilentView):
    """One line for each failure and each note, and a sign of life after long silence.

    Args:
        tally: How far the run is.
        clock: Seconds, the ones that the tally is fed with.
        wall: What time it is for people.
    """

    def __init__(
        self,
        tally: Tally,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._tally = tally
        self._clock = clock
        self._wall = wall
        self._spoke = tally.began

    def failed(self, job: Job, result: SpawnResult) -> None:
        """See `View.failed`."""
        self._line("FAIL", failure(job, result))

    def note(self, text: str) -> None:
        """See `View.note`."""
        self._line("NOTE", text)

    def tick(self) -> None:
        """See `View.tick`."""
        if self._clock() - self._spoke >= _HEARTBEAT:
            of = "" if self._tally.total is None else f"/{self._tally.total}"
            self._line("ALIVE", ", ".join([f"{self._tally.done}{of} done", *counts(self._tally)]))

    def _line(self, verb: str, said: str) -> None:
        self._spoke = self._clock()
        self.say(f"{self._wall():%H:%M:%S} {verb:>5}  {said}")


def dot_for(encoding: str | None) -> str:
    """What stands between parts of a line, where an encoding can carry it."""
    try:
        "·".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "|"
    return "·"
