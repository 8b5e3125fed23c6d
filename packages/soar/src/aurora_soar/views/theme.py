"""Glyphs, words and colours: the same in every view, in Unicode and in ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from aurora_soar.views.board import State
from aurora_spawner import safe_line

__all__ = ["ASCII", "STYLES", "UNICODE", "VERBS", "Glyphs", "first_line", "glyphs_for"]

# What a line shows of an agent's words, characters; a screen is narrower, a pipe is not.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that a view is made of.

    Attributes:
        states: One cell for each state.
        dot: Between parts of a line.
        dash: For nothing.
        ellipsis: For what was left out.
    """

    states: Mapping[State, str]
    dot: str
    dash: str
    ellipsis: str


UNICODE = Glyphs(
    states={
        State.WAITING: "·",
        State.RUNNING: "●",
        State.RETRYING: "↻",
        State.FALLBACK: "●",
        State.OK: "✓",
        State.FAILED: "✕",
        State.BLOCKED: "✕",
        State.SKIPPED: "–",
        State.UNFINISHED: "✕",
    },
    dot="·",
    dash="–",
    ellipsis="…",
)
ASCII = Glyphs(
    states={
        State.WAITING: ".",
        State.RUNNING: "*",
        State.RETRYING: "~",
        State.FALLBACK: "*",
        State.OK: "+",
        State.FAILED: "x",
        State.BLOCKED: "x",
        State.SKIPPED: "-",
        State.UNFINISHED: "x",
    },
    dot="|",
    dash="-",
    ellipsis="~",
)

STYLES: Mapping[State, str] = {
    State.WAITING: "dim",
    State.RUNNING: "",
    State.RETRYING: "yellow",
    State.FALLBACK: "yellow",
    State.OK: "green",
    State.FAILED: "red",
    State.BLOCKED: "red",
    State.SKIPPED: "dim",
    State.UNFINISHED: "red",
}

VERBS: Mapping[State, str] = {
    State.WAITING: "WAIT",
    State.RUNNING: "START",
    State.RETRYING: "RETRY",
    State.FALLBACK: "FALLBACK",
    State.OK: "OK",
    State.FAILED: "FAIL",
    State.BLOCKED: "BLOCKED",
    State.SKIPPED: "SKIP",
    State.UNFINISHED: "CUT",
}
"""What the plain lines and the summary call a change to that state."""


def glyphs_for(stream: TextIO) -> Glyphs:
    """The Unicode glyphs, if the stream's encoding can carry them."""
    wanted = "".join((*UNICODE.states.values(), UNICODE.dot, UNICODE.dash, UNICODE.ellipsis))
    try:
        wanted.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def first_line(text: str | None) -> str:
    """The first line that is not blank, made safe to show."""
    # Not splitlines: a carriage return rewrites a line, it ends none.
    line = next((each for each in (text or "").split("\n") if each.strip()), "")
    return safe_line(line.rstrip("\r").rpartition("\r")[2][:_LONGEST]).strip()
