"""Glyphs, words and colours: the same in every view, in Unicode and in ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from aurora_soar.events import CircuitChanged
from aurora_soar.views.board import Spent, State
from aurora_spawner import format_duration, safe_line

__all__ = [
    "ASCII",
    "STYLES",
    "UNICODE",
    "VERBS",
    "Glyphs",
    "changed_words",
    "circuit_words",
    "first_line",
    "glyphs_for",
    "money",
    "spent_words",
    "totals_words",
]

# What a line shows of an agent's words, characters; a screen is narrower, a pipe is not.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that a view is made of.

    Attributes:
        states: One cell for each state.
        parked: Before a tool that a provider's limit has parked.
        dot: Between parts of a line.
        dash: For nothing.
        ellipsis: For what was left out.
    """

    states: Mapping[State, str]
    parked: str
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
    parked="◷",
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
    parked="o",
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
    signs = (UNICODE.parked, UNICODE.dot, UNICODE.dash, UNICODE.ellipsis)
    wanted = "".join((*UNICODE.states.values(), *signs))
    try:
        wanted.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def money(usd: float) -> str:
    """US dollars to the cent; less than that is not nothing."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:.2f}"


def totals_words(
    totals: Mapping[str, int],
    *,
    seconds: float,
    agent_seconds: float,
    spent: Spent,
    budget: float | None,
    glyphs: Glyphs,
) -> str:
    """How many ended how, and what it took, in a line; see `spent_words` for the cost.

    Args:
        totals: Counts by outcome, and those of `kept`, `flaky` and `by_fallback` among the `ok`.
        seconds: How long the run took.
        agent_seconds: How long its attempts took together.
        spent: What it spent.
        budget: What it might, US dollars; None: anything.
        glyphs: What lines are made of.
    """
    among = {"kept": "kept", "flaky": "flaky", "by_fallback": "by fallback"}
    special = ", ".join(f"{totals[key]} {word}" for key, word in among.items() if totals[key])
    parts = [f"{totals['ok']} ok{f' ({special})' if special else ''}"]
    others = ("failed", "blocked", "unfinished", "skipped")
    parts += [f"{totals[key]} {key}" for key in others if totals[key]]
    took, agents = format_duration(seconds), format_duration(agent_seconds)
    said = (", ".join(parts), f"{took} (agent time {agents})", spent_words(spent, budget))
    return f" {glyphs.dot} ".join(filter(None, said))


def spent_words(spent: Spent, budget: float | None) -> str:
    """What was spent, of what budget: `$1.84 of $12.00`; empty if there is nothing to say.

    A plus sign says that some attempts told no cost, a question mark that none did.
    """
    if spent.usd is not None:
        said = money(spent.usd) + ("+" if spent.untold else "")
    elif budget is None:
        return ""
    else:
        said = "?" if spent.untold else money(0)
    return said if budget is None else f"{said} of {money(budget)}"


def changed_words(files: int) -> str:
    """How much was changed in a worktree: `1 file changed`; empty for nothing."""
    return f"{files} file{'' if files == 1 else 's'} changed" if files else ""


def circuit_words(circuit: CircuitChanged) -> str:
    """How a circuit stands: `open (2 failures)`, `half open, a probe may run`, `closed`."""
    match circuit.state:
        case "open":
            count = circuit.failures
            return f"open ({count} failure{'' if count == 1 else 's'})"
        case "half_open":
            return "half open, a probe may run"
        case "closed":
            return "closed"


def first_line(text: str | None) -> str:
    """The first line that is not blank, made safe to show."""
    # Not splitlines: a carriage return rewrites a line, it ends none.
    line = next((each for each in (text or "").split("\n") if each.strip()), "")
    return safe_line(line.rstrip("\r").rpartition("\r")[2][:_LONGEST]).strip()
