"""The timeline as shapes: a track per subgoal, places in percent, heights in pixels; pure.

What is drawn how: blocked is a hairline, waiting for a slot dots, an attempt solid, a failed one
hatched, the gap before a retry dashed, a parked tool diagonal stripes, a fallback has an edge of
its own. The critical path is outlined, and its chain connected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aurora_soar.views.report.axis import Axis, Gap, Tick
from aurora_spawner import format_duration, safe_line

__all__ = ["TRACK", "Bar", "Drawing", "Link", "Track", "draw"]

TRACK = 26
"""Height of a track, pixels; the style sheet gives its label the same."""

# The narrowest bar that can still be seen, percent.
_NARROWEST = 0.2

# What is said in the drawing itself and beside the pointer, characters.
_EDGE = 20
_TITLE = 300

_WORK = frozenset({"attempt", "fallback"})


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time.

    Attributes:
        look: What it is drawn as; a class of the style sheet.
        x: Where it begins, percent.
        end: Where it ends, percent.
        title: What it is, in words.
        is_box: Whether it is a box, not a line.
        edge: Who was asked in the agent's place, in a fallback; empty otherwise.
    """

    look: str
    x: float
    end: float
    title: str
    is_box: bool
    edge: str = ""

    @property
    def width(self) -> float:
        """Percent."""
        return self.end - self.x


@dataclass(frozen=True, slots=True)
class Track:
    """One subgoal's line: its top in pixels, its bars, and whether it is on the critical path."""

    top: int
    bars: Sequence[Bar]
    is_critical: bool


@dataclass(frozen=True, slots=True)
class Link:
    """From one subgoal of the critical path to the next: place in percent, pixels from and to."""

    x: float
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """All of it; `height` in pixels."""

    tracks: Sequence[Track]
    links: Sequence[Link]
    ticks: Sequence[Tick]
    gaps: Sequence[Gap]
    height: int


def draw(record: Mapping[str, Any]) -> Drawing:
    """The timeline of a run.

    Args:
        record: What became of everything, see `aurora_soar.views.record`.
    """
    subgoals = record["subgoals"]
    stretches = [stretch for subgoal in subgoals for stretch in subgoal["history"]]
    axis = Axis(
        max([record["duration_ms"], *(each["end_ms"] for each in stretches)]),
        [(each["start_ms"], each["end_ms"]) for each in stretches if each["kind"] in _WORK],
    )
    critical = record["critical_path"]
    tracks = [
        Track(
            position * TRACK,
            [_bar(axis, subgoal, stretch) for stretch in subgoal["history"]],
            subgoal["id"] in critical,
        )
        for position, subgoal in enumerate(subgoals)
    ]
    places = {subgoal["id"]: position for position, subgoal in enumerate(subgoals)}
    return Drawing(
        tracks=tracks,
        links=_links(axis, subgoals, [places[each] for each in critical]),
        ticks=axis.ticks(),
        gaps=axis.gaps(),
        height=len(tracks) * TRACK,
    )


def _bar(axis: Axis, subgoal: Mapping[str, Any], stretch: Mapping[str, Any]) -> Bar:
    kind, look = stretch["kind"], stretch["kind"]
    start, end = stretch["start_ms"], stretch["end_ms"]
    said, edge = kind, ""
    if kind in _WORK:
        look = f"{kind} {stretch['outcome']}"
        said = f"attempt {stretch['attempt']}: {stretch['outcome']}"
        if kind == "fallback":
            said = f"fallback to {stretch['agent'] or 'the plain LLM'}: {stretch['outcome']}"
            edge = safe_line(stretch["agent"] or "LLM")[:_EDGE]
    about = stretch.get("error") or stretch.get("reason") or ""
    took = format_duration((end - start) / 1000)
    title = f"{subgoal['id']}, {said}, {took}" + (f": {about}" if about else "")
    x = axis.place(start)
    width = max(axis.place(end) - x, _NARROWEST if kind in _WORK else 0.0)
    is_box = kind in _WORK or kind == "parked"
    return Bar(look, x, min(x + width, 100.0), safe_line(title[:_TITLE]), is_box, edge)


def _links(axis: Axis, subgoals: Sequence[Mapping[str, Any]], path: Sequence[int]) -> list[Link]:
    links = []
    for before, after in pairwise(path):
        history = subgoals[before]["history"]
        if history and subgoals[after]["started_ms"] is not None:
            top, bottom = sorted((before, after))
            place = axis.place(history[-1]["end_ms"])
            links.append(Link(place, top * TRACK + TRACK // 2, bottom * TRACK + TRACK // 2))
    return links
