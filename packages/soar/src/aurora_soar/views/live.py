"""The live table on a terminal: drawn in place, twice a second, without an alternate screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from aurora_soar.events import RunEvent
from aurora_soar.views.board import Board
from aurora_soar.views.estimate import Forecast
from aurora_soar.views.table import frame
from aurora_soar.views.theme import Glyphs
from aurora_spawner import safe_line

__all__ = ["LiveView"]


class LiveView:
    """Draws the board whenever it is told that time has passed.

    Args:
        board: The run.
        console: Where to draw.
        glyphs: What the table is made of.
        clock: Seconds, the ones that the board is fed with.
        wall: What time it is for people.
    """

    def __init__(
        self,
        board: Board,
        console: Console,
        glyphs: Glyphs,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._board = board
        self._console = console
        self._glyphs = glyphs
        self._clock = clock
        self._wall = wall
        self._forecast = Forecast()
        self._size = console.size
        self._live = self._fresh()

    def start(self) -> None:
        """Draw the table for the first time."""
        self._live.start(refresh=True)

    def saw(self, event: RunEvent) -> None:
        """Nothing yet: many events share one drawing."""

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self._console.print(Text(safe_line(text)))

    def tick(self) -> None:
        """Draw the table anew; on a screen of another size, from its top."""
        size = self._console.size
        if size != self._size:
            # A terminal rewraps old lines in its own way: nobody knows where the table is now.
            self._live.stop()
            self._console.clear()
            self._size = size
            self._live = self._fresh()
            self._live.start()
        self._live.update(self._table(size), refresh=True)

    def stop(self) -> None:
        """Leave the last state of the table on the screen."""
        self._live.stop()
        self._console.print(self._table(self._console.size))

    def _fresh(self) -> Live:
        return Live(
            self._table(self._size),
            console=self._console,
            auto_refresh=False,  # its thread would read the board while it changes
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _table(self, size: ConsoleDimensions) -> Group:
        # The last column and the last line stay free: a terminal would wrap or scroll there.
        width, height = size.width - 1, size.height - 1
        now, moment = self._clock(), self._wall()
        lines = frame(
            self._board,
            now,
            width=width,
            height=height,
            glyphs=self._glyphs,
            when=lambda at: f"{moment + timedelta(seconds=at - now):%H:%M:%S}",
            forecast=self._forecast.said(self._board, now),
        )
        return Group(*lines)
