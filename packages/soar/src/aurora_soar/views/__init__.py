"""What people and programs look at: a board fed by events, and the ways to show it.

Events go to the board and the timeline; from those are drawn, while the run goes on, the live
table, the plain lines and the event stream, and at its end the summary and the record. Page, JUnit
XML, trace and `show` are made from the record alone, so also long after the run.
"""

from aurora_soar.views.board import Board, Row, Spent, State, Totals
from aurora_soar.views.follow import event_line
from aurora_soar.views.junit import junit
from aurora_soar.views.live import LiveView
from aurora_soar.views.plain import PlainView
from aurora_soar.views.recap import run_lines, subgoal_lines
from aurora_soar.views.record import record
from aurora_soar.views.report import page
from aurora_soar.views.stream import EventStream
from aurora_soar.views.summary import next_commands, summary
from aurora_soar.views.theme import ASCII, UNICODE, Glyphs, changed_words, glyphs_for
from aurora_soar.views.timeline import Timeline
from aurora_soar.views.trace import trace
from aurora_soar.views.view import SilentView, View, error_console, output_console

__all__ = [
    "ASCII",
    "UNICODE",
    "Board",
    "EventStream",
    "Glyphs",
    "LiveView",
    "PlainView",
    "Row",
    "SilentView",
    "Spent",
    "State",
    "Timeline",
    "Totals",
    "View",
    "changed_words",
    "error_console",
    "event_line",
    "glyphs_for",
    "junit",
    "next_commands",
    "output_console",
    "page",
    "record",
    "run_lines",
    "subgoal_lines",
    "summary",
    "trace",
]
