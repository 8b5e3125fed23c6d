"""What people and programs look at: a board fed by events, and the ways to show it."""

from aurora_soar.views.board import Board, Row, State, Totals
from aurora_soar.views.live import LiveView
from aurora_soar.views.plain import PlainView
from aurora_soar.views.record import record
from aurora_soar.views.summary import summary
from aurora_soar.views.theme import ASCII, UNICODE, Glyphs, glyphs_for
from aurora_soar.views.view import SilentView, View, error_console

__all__ = [
    "ASCII",
    "UNICODE",
    "Board",
    "Glyphs",
    "LiveView",
    "PlainView",
    "Row",
    "SilentView",
    "State",
    "Totals",
    "View",
    "error_console",
    "glyphs_for",
    "record",
    "summary",
]
