"""Standard error: the view that suits it, for as long as anybody looks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.options import RunOptions
from aurora_spawner.cli.tally import Tally
from aurora_spawner.cli.views import PlainView, SilentView, View, dot_for
from aurora_spawner.cli.words import summary
from aurora_spawner.models import SpawnResult
from aurora_spawner.progress import Progress

__all__ = ["Screen"]

# Terminals that cannot erase a line.
_DUMB = ("", "dumb", "unknown")


class Screen:
    """Shows a run; what cannot be shown ends the showing, not the run.

    Args:
        tally: How far the run is.
        options: How it is to be shown.
        lost: Called with the error if nothing can be shown any more; once.
    """

    def __init__(self, tally: Tally, options: RunOptions, lost: Callable[[OSError], None]) -> None:
        self._tally = tally
        self._quiet = options.quiet
        self._lost = lost
        self._unseen = False
        self._dot = dot_for(sys.stderr.encoding)
        self._view = self._chosen(options)

    def failed(self, job: Job, result: SpawnResult) -> None:
        """A job has failed."""
        self._show(lambda: self._view.failed(job, result))

    def note(self, text: str) -> None:
        """Something is to be said at once."""
        self._show(lambda: self._view.note(text))

    def inform(self, text: str) -> None:
        """A note that those who want quiet can do without."""
        if not self._quiet:
            self.note(text)

    def tick(self) -> None:
        """Time has passed."""
        self._show(self._view.tick)

    def hide(self) -> None:
        """Nothing that is drawn may stand in the way."""
        self._show(self._view.hide)

    def say(self, text: str) -> None:
        """Say something at the end; nothing is drawn any more."""
        self._show(lambda: self._view.say(text))

    def sum_up(self) -> None:
        """Say what the run came to."""
        self.say(summary(self._tally, time.monotonic(), self._dot))

    def _show(self, show: Callable[[], None]) -> None:
        if self._unseen:
            return
        try:
            show()
        except OSError as error:
            self._unseen = True
            self._lost(error)

    def _chosen(self, options: RunOptions) -> View:
        progress = options.progress
        if progress is Progress.AUTO:
            drawable = sys.stderr.isatty() and os.environ.get("TERM", "") not in _DUMB
            progress = Progress.TTY if drawable else Progress.PLAIN
        if options.quiet or progress is Progress.NONE:
            return SilentView()
        if progress is Progress.PLAIN:
            return PlainView(self._tally, time.monotonic)
        # Rich takes its time to be imported, and only a terminal needs it.
        from aurora_spawner.cli.bar import BarView

        force = options.progress is Progress.TTY
        return BarView(self._tally, time.monotonic, self._dot, force=force)
