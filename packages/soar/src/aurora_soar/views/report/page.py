"""The page of a run: its record, made into one HTML file that asks for nothing else.

Everything in it that somebody else wrote goes through two gates: control characters become visible
escapes (`safe_line`), and the template escapes all that it is given. The page's own policy lets
nothing be loaded and nothing run but the style and the script in it, whose hashes it names.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aurora_soar.views.board import State
from aurora_soar.views.excerpt import safe_text
from aurora_soar.views.report.bars import TRACK, draw
from aurora_soar.views.report.facts import change_words, totals_of, verdict_of
from aurora_soar.views.report.network import BOX_HEIGHT, BOX_WIDTH, lay_out
from aurora_soar.views.report.quotes import Quotes
from aurora_soar.views.summary import next_commands
from aurora_soar.views.theme import UNICODE, changed_words, money
from aurora_spawner import format_duration, safe_line

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["page"]

_HERE = Path(__file__).parent

_MISSED = ("failed", "blocked", "unfinished")


def page(record: Mapping[str, Any], seen_from: Path = Path()) -> str:
    """The HTML of a run.

    Args:
        record: What became of everything, see `aurora_soar.views.record`.
        seen_from: The folder that the page will be in: links to logs start there.
    """
    subgoals = record["subgoals"]
    places = {subgoal["id"]: position for position, subgoal in enumerate(subgoals)}
    needs = [[places[each] for each in subgoal["depends_on"]] for subgoal in subgoals]
    quotes = Quotes(record)
    style, script = _text("page.css"), _text("page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            run=record,
            verdict=verdict_of(record),
            totals=totals_of(record),
            next_commands=next_commands(
                record["run"], {subgoal["id"]: subgoal["outcome"] for subgoal in subgoals}
            ),
            missed=[place for place, each in enumerate(subgoals) if each["outcome"] in _MISSED],
            answers=quotes.answers,
            tails=quotes.tails,
            drawing=draw(record),
            network=lay_out(needs, [places[each] for each in record["critical_path"]]),
            places=places,
            link=lambda log: _link(log, seen_from),
            # Ours: the only texts that are not escaped.
            style=style,
            script=script,
            policy=_policy(style, script),
            track_height=TRACK,
            box_width=BOX_WIDTH,
            box_height=BOX_HEIGHT,
        )
    )


def _link(log: str, seen_from: Path) -> str:
    """A relative address of a file: never one that names a scheme or a host."""
    return f"./{quote(os.path.relpath(log, seen_from), errors='replace')}"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    # Loaded here: only whoever wants a page waits for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": lambda text: safe_line("" if text is None else str(text).replace("\n", " ")),
        "lines": lambda text: safe_text("" if text is None else text),
        "duration": lambda ms: "–" if ms is None else _duration(ms),
        "usd": lambda usd: "–" if usd is None else money(usd),
        "moment": lambda iso: f"{datetime.fromisoformat(iso):%-d %B %Y, %H:%M:%S %Z}",
        "count": lambda number: "–" if number is None else f"{number:,}",
        "percent": lambda place: f"{place:.3f}".rstrip("0").rstrip(".") + "%",
        "glyph": lambda outcome: UNICODE.states[State(outcome)],
        "change_words": change_words,
        "changed": changed_words,
        "cut": lambda text, length: text if len(text) <= length else text[: length - 1] + "…",
    }
    return environment


def _duration(milliseconds: int) -> str:
    """As everywhere; below ten seconds with a decimal, since a page has time to be read."""
    if milliseconds < 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return format_duration(milliseconds / 1000)
