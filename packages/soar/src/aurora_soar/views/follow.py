"""The event stream of a run, read again, as lines for people; pure.

14:02:20      START  docs  writer
14:03:09      RETRY  docs  exit 1, next in 30s
14:04:12         OK  docs  1:52
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from aurora_soar.views.board import State
from aurora_soar.views.theme import STYLES, VERBS, first_line
from aurora_spawner import format_duration, safe_line

__all__ = ["event_line"]

_VERB = 10

_CIRCUITS = {
    "circuit.opened": ("red", "open"),
    "circuit.half_open": ("yellow", "half open, a probe may run"),
    "circuit.closed": ("green", "closed"),
}


def event_line(event: Mapping[str, Any]) -> Text | None:
    """The line for an event; None for one that says nothing new to people."""
    match event["type"]:
        case "subgoal.started":
            return _change(event, State.RUNNING, event["agent"])
        case "retry.scheduled":
            wait = round(event["delay_ms"] / 1000)
            return _change(event, State.RETRYING, f"{event['reason']}, next in {wait}s")
        case "subgoal.finished":
            return _change(event, State(event["outcome"]), _ending(event))
        case "tool.parked":
            wait = format_duration(event["resume_in_ms"] / 1000)
            said = f"{first_line(event['reason'])}, resumes in {wait}"
            return _line(event, "PARKED", "yellow", event["tool"], said)
        case "tool.resumed":
            return _line(event, "RESUMED", "", event["tool"], "")
        case "circuit.opened" | "circuit.half_open" | "circuit.closed" as kind:
            style, said = _CIRCUITS[kind]
            return _line(event, "CIRCUIT", style, event["agent"], said)
        case "budget.warning":
            said = f"{event['spent']:g} of {event['limit']:g} {event['unit']} spent"
            return _line(event, "BUDGET", "yellow", said, "")
        case "run.finished":
            done = f"{event['ok']} ok, {event['failed']} failed"
            return _line(event, "END", "", done, f"exit code {event['exit_code']}")
        case _:
            return None


def _ending(event: Mapping[str, Any]) -> str:
    took = event["duration_ms"]
    parts = [
        "kept" if event["kept"] else "" if took is None else format_duration(took / 1000),
        "by fallback" if event["fallback"] else "",
        first_line(event["error"]),
    ]
    return " ".join(filter(None, parts))


def _change(event: Mapping[str, Any], state: State, said: str) -> Text:
    return _line(event, VERBS[state], STYLES[state], event["subgoal"], said)


def _line(event: Mapping[str, Any], verb: str, style: str, who: str, said: str) -> Text:
    moment = datetime.fromisoformat(event["ts"]).astimezone()
    line = Text(f"{moment:%H:%M:%S} ")
    line.append(f"{verb:>{_VERB}}", style=f"bold {style}".strip())
    line.append(f"  {safe_line(who)}  {first_line(said)}".rstrip())
    return line
