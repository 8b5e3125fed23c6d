"""Whether the command tells OpenTelemetry of its runs: its own variables decide, as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from aurora_soar.events import RunEvent
from aurora_soar.views import Board

__all__ = ["Listener", "MakeListener", "telemetry", "telemetry_wanted"]

_ASK = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)


class Listener(Protocol):
    """Hears of a run; the board knows of each event before."""

    def start(self) -> None:
        """The run begins."""

    def saw(self, event: RunEvent, now: float) -> None:
        """Something happened."""

    def finish(self, exit_code: int, now: float) -> None:
        """The run has ended."""


MakeListener = Callable[[Board, str], Listener]
"""Makes the listener of a run, from its board and its id."""


def telemetry_wanted(environ: Mapping[str, str]) -> bool:
    """Whether a variable asks for telemetry, and none forbids it."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return any(environ.get(name, "none") not in ("", "none") for name in _ASK)


def telemetry(environ: Mapping[str, str], note: Callable[[str], None]) -> MakeListener | None:
    """What makes the listener that tells OpenTelemetry; None: nobody wants to be told.

    Args:
        environ: The variables.
        note: Is told what is missing; the run goes on without it.
    """
    if not telemetry_wanted(environ):
        return None
    try:
        from aurora_soar.telemetry import CannotExportError, Telemetry, parent_of, providers
    except ImportError:
        note("OTEL_ variables ask for telemetry: pip install 'aurora-soar[otel]'")
        return None
    try:
        to = providers(environ)
    except CannotExportError as error:
        note(str(error))
        return None
    parent = parent_of(environ)
    return lambda board, run: Telemetry(
        board, run, to.tracers, to.meters, parent=parent, ended=to.close
    )
