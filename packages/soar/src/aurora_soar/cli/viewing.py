"""How a run shows itself, and the view that does it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from rich.console import Console

from aurora_soar.cli.exports import Exports
from aurora_soar.views import Board, LiveView, PlainView, SilentView, View, glyphs_for
from aurora_spawner import Progress

__all__ = ["Shown", "chosen_view"]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a run shows itself.

    Attributes:
        progress: The view on standard error.
        json: Whether the results go to standard output.
        quiet: Say nothing about success.
        verbose: Show what agents say as they say it, in lines.
        exports: Where else the run is wanted.
    """

    progress: Progress
    json: bool
    quiet: bool
    verbose: bool
    exports: Exports


def chosen_view(shown: Shown, board: Board, console: Console) -> View:
    """What suits the wish and the terminal: a live table, lines, or nothing."""
    progress = shown.progress
    if progress is Progress.AUTO:
        live = sys.stderr.isatty() and not console.is_dumb_terminal
        # A table has no room for all that is said.
        progress = Progress.TTY if live and not shown.verbose else Progress.PLAIN
    if shown.quiet or progress is Progress.NONE:
        return SilentView(console)
    what = board, console, glyphs_for(sys.stderr), time.monotonic
    if progress is Progress.TTY:
        return LiveView(*what)
    return PlainView(*what, verbose=shown.verbose)
