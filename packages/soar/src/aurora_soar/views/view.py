"""What a view of a run is to whoever conducts the run."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.text import Text

from aurora_soar.events import RunEvent
from aurora_spawner import safe_line

__all__ = ["SilentView", "View", "error_console", "output_console"]


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let whoever prints know, instead of ending the program at once."""
        raise  # noqa: PLE0704 - called while the error is handled


def error_console(*, force_terminal: bool = False) -> Console:
    """A console on standard error; colours and drawing only on a terminal, or if forced."""
    return _console(sys.stderr, force_terminal)


def output_console() -> Console:
    """A console on standard output; colours only on a terminal."""
    return _console(sys.stdout, False)


def _console(file: TextIO, force_terminal: bool) -> Console:
    return _Console(
        file=file,
        # Rich would also take a wish for colours (FORCE_COLOR) for a terminal.
        force_terminal=force_terminal or file.isatty(),
        highlight=False,
        markup=False,
        emoji=False,
    )


class View(Protocol):
    """Shows a run while it goes on. Any call may raise an OSError: the reader has gone."""

    def start(self) -> None:
        """The run begins."""

    def saw(self, event: RunEvent) -> None:
        """Something happened; the board knows of it."""

    def note(self, text: str) -> None:
        """Tell people something that is no event."""

    def tick(self) -> None:
        """Time has passed; called about twice a second."""

    def stop(self) -> None:
        """The run has ended."""


class SilentView:
    """Shows notes and nothing else."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self) -> None:
        """Show nothing."""

    def saw(self, event: RunEvent) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Print it."""
        self._console.print(Text(safe_line(text)), soft_wrap=True)

    def tick(self) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""
