"""One line at the bottom of a terminal: a bar, counts, rate, and about how long it takes yet."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from rich.cells import cell_len
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.text import Text

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.tally import Tally
from aurora_spawner.cli.words import counts, failure
from aurora_spawner.durations import about, format_duration
from aurora_spawner.models import SpawnResult
from aurora_spawner.terminal import safe_line

__all__ = ["BarView"]

# Cells of the bar itself; without room for the shorter one there is none.
_SHORTEST_BAR = 8
_LONGEST_BAR = 40

# To the first column, then everything from there on erased (ECMA-48: ED).
_ERASE = "\r\x1b[J"
_UP = "\x1b[{}A"


class BarView:
    """Draws the line anew whenever it is told that time has passed.

    The cursor stays visible, so that a program that is killed or stopped leaves a sound terminal.

    Args:
        tally: How far the run is.
        time: Seconds, the ones that the tally is fed with.
        dot: What stands between parts.
        force: Draw even if standard error is no terminal.
    """

    def __init__(
        self, tally: Tally, time: Callable[[], float], dot: str, *, force: bool = False
    ) -> None:
        self._tally = tally
        self._time = time
        self._dot = dot
        self._console = Console(
            file=sys.stderr,
            # Rich would also take a wish for colours (FORCE_COLOR) for a terminal.
            force_terminal=force or sys.stderr.isatty(),
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._drawn = 0

    def failed(self, job: Job, result: SpawnResult) -> None:
        """See `View.failed`."""
        self._above(Text.assemble(("FAIL", "bold red"), f"  {failure(job, result)}"))
        self.tick()

    def note(self, text: str) -> None:
        """See `View.note`."""
        self._above(Text(safe_line(text)))
        self.tick()

    def tick(self) -> None:
        """See `View.tick`."""
        self._write(self._line())

    def hide(self) -> None:
        """See `View.hide`."""
        if self._drawn:
            self._write(Text())

    def say(self, text: str) -> None:
        """See `View.say`."""
        self._above(Text(safe_line(text)))

    def _above(self, line: Text) -> None:
        self.hide()
        self._console.print(line, soft_wrap=True)

    def _write(self, line: Text) -> None:
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, soft_wrap=True)
        # A terminal that has become narrower has wrapped what stands there.
        rows = math.ceil(self._drawn / self._console.width) - 1 if self._drawn else 0
        up = _UP.format(rows) if rows > 0 else ""
        sys.stderr.write(f"{up}{_ERASE}{captured.get()}")
        sys.stderr.flush()
        self._drawn = cell_len(line.plain)

    def _line(self) -> Text:
        """What fits: least of all the rate is needed."""
        tally, now = self._tally, self._time()
        of = "" if tally.total is None else f"/{tally.total}"
        head = f"{tally.done}{of}" if of else f"{tally.done} done {self._dot}"
        parts = [*counts(tally), format_duration(now - tally.began), _speed(tally.rate(now))]
        left = tally.left(now)
        parts.append("" if left is None else f"{about(left)} left")
        # The last column stays free: a terminal would wrap there.
        width = self._console.width - 1
        needless = [len(parts) - 2, len(parts) - 3, len(parts) - 1]
        while True:
            tail = f" {self._dot} ".join(part for part in parts if part)
            room = width - cell_len(head) - cell_len(tail) - 2
            if room >= (_SHORTEST_BAR if of else 0) or not needless:
                break
            parts[needless.pop(0)] = ""
        line = Text(f"{head} ")
        if of and room > _SHORTEST_BAR:
            line.append_text(self._bar(min(room - 1, _LONGEST_BAR)))
            line.append("  ")
        line.append(tail)
        line.truncate(width)
        return line

    def _bar(self, width: int) -> Text:
        tally = self._tally
        bar = ProgressBar(
            total=max(tally.total or 0, 1),
            completed=tally.done,
            width=width,
            style="dim",
            complete_style="red" if tally.failed else "green",
            finished_style="red" if tally.failed else "green",
        )
        options = self._console.options.update(width=width)
        line = Text()
        for segment in self._console.render(bar, options):
            line.append(segment.text.rstrip("\n"), segment.style)
        return line


def _speed(rate: float | None) -> str:
    if rate is None:
        return ""
    return f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"
