"""The files in which a user wants a run besides its folder: events, a page, JUnit XML, a trace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import typer

from aurora_soar.cli.streams import complain
from aurora_soar.cli.telemetry import Listener, MakeListener
from aurora_soar.config import Settings
from aurora_soar.events import RunEvent
from aurora_soar.views import Board, EventStream, junit, page, trace
from aurora_spawner import ExitCode

__all__ = ["ExportFiles", "Exports", "wanted_or_exit"]


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """Where the command line wants what; None: nowhere.

    Attributes:
        events: JSON lines as the run goes; `-` is standard output.
        html: The page.
        junit: JUnit XML.
        trace: A trace for Perfetto.
    """

    events: str | None = None
    html: str | None = None
    junit: str | None = None
    trace: str | None = None

    @property
    def at_end(self) -> list[tuple[Path, Callable[[Mapping[str, Any]], str]]]:
        """The files that are written once the run is over, and what makes each from its record."""
        wanted: list[tuple[str | None, Callable[[Mapping[str, Any]], str]]] = [
            (self.html, lambda record: page(record, seen_from=Path(self.html or "").parent)),
            (self.junit, junit),
            (self.trace, trace),
        ]
        return [(Path(name), make) for name, make in wanted if name is not None]


def wanted_or_exit(settings: Settings, *, as_json: bool) -> ExportFiles:
    """The files that settings name; ends here if two things want standard output.

    Args:
        settings: The settings.
        as_json: Whether the results go there.
    """
    if as_json and settings.events == "-":
        complain("--json and --events - both want standard output; give --events a file")
        raise typer.Exit(ExitCode.USAGE)
    return ExportFiles(settings.events, settings.html, settings.junit, settings.trace)


class Exports:
    """Writes them: what happens as it happens, the rest when the run is over.

    Args:
        files: Where to.
        telemetry: Makes who else hears of the run; None: nobody does.

    Raises:
        OSError: One of the files cannot be written; told before any agent costs money.
    """

    def __init__(self, files: ExportFiles, telemetry: MakeListener | None = None) -> None:
        self._files = files
        self._telemetry = telemetry
        self._listener: Listener | None = None
        self._opened = ExitStack()
        self._stream: EventStream | None = None
        for path, _ in files.at_end:
            with path.open("ab"):
                pass
        self._out: TextIO | None = None
        if files.events == "-":
            self._out = sys.stdout
        elif files.events is not None:
            # ASCII: see `EventStream`.
            file = open(files.events, "w", encoding="ascii")  # noqa: SIM115 - closed in `close`
            self._out = self._opened.enter_context(file)

    def start(self, board: Board, *, run: str, plan: str, clean: Callable[[str], str]) -> None:
        """The run begins.

        Args:
            board: It.
            run: Its id.
            plan: The plan file, as the user named it.
            clean: Takes out of agents' words what is not to be told.

        Raises:
            OSError: The stream cannot be written.
        """
        if self._telemetry is not None:
            self._listener = self._telemetry(board, run)
            self._listener.start()
        if self._out is not None:
            self._stream = EventStream(board, run, self._write, clean)
            self._stream.start(plan)

    def saw(self, event: RunEvent, now: float) -> None:
        """Something happened, and the board knows of it.

        Raises:
            OSError: The stream cannot be written.
        """
        if self._listener is not None:
            self._listener.saw(event, now)
        if self._stream is not None:
            self._stream.saw(event, now)

    def finish(self, record: Mapping[str, Any]) -> None:
        """The run is over; `record` says what became of everything.

        Raises:
            OSError: Something cannot be written; the rest has been.
        """
        lost: OSError | None = None
        for path, make in self._files.at_end:
            try:
                path.write_text(make(record), encoding="utf-8", errors="replace")
            except OSError as error:
                lost = lost or error
        if lost is not None:
            raise lost

    def close(self, exit_code: int, now: float) -> None:
        """The stream's last line: how the command ends.

        Raises:
            OSError: The stream cannot be written.
        """
        stream, self._stream = self._stream, None
        if self._listener is not None:
            self._listener.finish(exit_code, now)
        with self._opened:
            if stream is not None:
                stream.finish(exit_code, now)

    def _write(self, line: str) -> None:
        assert self._out is not None
        self._out.write(line)
        self._out.flush()
