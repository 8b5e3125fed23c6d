"""A run that is over, or one subgoal of it, in lines for people; made from the record, pure.

What an agent said is made safe to show; nothing of it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from aurora_soar.views.board import Spent, State
from aurora_soar.views.theme import (
    STYLES,
    VERBS,
    Glyphs,
    changed_words,
    first_line,
    money,
    totals_words,
)
from aurora_spawner import format_duration, safe_line

__all__ = ["run_lines", "subgoal_lines"]

# A subgoal's stretches in which an agent was asked.
_ASKED = ("attempt", "fallback")

# Cells that an id or an agent may take in a table.
_WIDEST = 24


def run_lines(record: Mapping[str, Any], glyphs: Glyphs) -> Iterator[Text]:
    """Every subgoal in a line, in the order of the plan, then the totals.

    Args:
        record: The results of the run.
        glyphs: What lines are made of.
    """
    subgoals = record["subgoals"]
    ids, agents = (_width(subgoals, name) for name in ("id", "agent"))
    for subgoal in subgoals:
        parts = [
            f"{safe_line(subgoal['id']):<{ids}}",
            f"{safe_line(subgoal['agent']):<{agents}}",
            f"{_took(subgoal['duration_ms']):>7}",
            f"{_cost(subgoal['cost_usd']):>7}",
            _said(subgoal),
        ]
        yield _headed(subgoal["outcome"], "  ".join(parts).rstrip())
    yield Text(_totals(record, glyphs), style="bold")


def subgoal_lines(subgoal: Mapping[str, Any], glyphs: Glyphs) -> Iterator[Text]:
    """How a subgoal ended, each time an agent was asked, and the answer.

    Args:
        subgoal: Its part of the results.
        glyphs: What lines are made of.
    """
    agent = safe_line(subgoal["agent"])
    needs = ", ".join(map(safe_line, subgoal["depends_on"]))
    after = f"after {needs}" if needs else ""
    said = filter(None, (safe_line(subgoal["id"]), f"by {agent}", after, _said(subgoal)))
    yield _headed(subgoal["outcome"], "  ".join(said))
    for stretch in subgoal["history"]:
        if stretch["kind"] in _ASKED:
            yield from _asked(stretch, agent)
    if changes := subgoal.get("changes"):
        yield Text(f"  {_changed(subgoal)} in the branch {safe_line(changes['branch'])}")
        yield from (Text(f"    {safe_line(file)}", style="dim") for file in changes["files"])
    for warning in subgoal["warnings"]:
        yield Text(f"  warning: {first_line(warning)}", style="yellow")
    if answer := subgoal["output"].rstrip("\n"):
        yield Text("")
        yield from (Text(safe_line(line)) for line in answer.split("\n"))


def _asked(stretch: Mapping[str, Any], agent: str) -> Iterator[Text]:
    is_attempt = stretch["kind"] == "attempt"
    number = f"attempt {stretch['attempt']}" if is_attempt else "fallback"
    by = safe_line(stretch["agent"] or (agent if is_attempt else "the plain LLM"))
    took = format_duration((stretch["end_ms"] - stretch["start_ms"]) / 1000)
    told = [stretch["outcome"], took, stretch["tool"], stretch["model"], _cost(stretch["cost_usd"])]
    words = "  ".join(safe_line(str(each)) for each in told if each)
    yield Text(f"  {number}  {by}  {words}")
    if stretch["error"]:
        yield Text(f"    {first_line(stretch['error'])}", style="red")
    if stretch["log"]:
        yield Text(f"    log: {safe_line(stretch['log'])}", style="dim")


def _headed(outcome: str, said: str) -> Text:
    state = State(outcome)
    verb = Text(f"{VERBS[state]:<7}", style=f"bold {STYLES[state]}")
    return Text.assemble(verb, f"  {said}")


def _said(subgoal: Mapping[str, Any]) -> str:
    """What is special about it, or why it failed."""
    marks = {
        "kept": subgoal["kept"],
        "by fallback": subgoal["fallback"],
        "flaky": subgoal["flaky"],
    }
    said = [name for name, holds in marks.items() if holds]
    if changed := _changed(subgoal):
        said.append(changed)
    return "  ".join(filter(None, (", ".join(said), first_line(subgoal["error"]))))


def _changed(subgoal: Mapping[str, Any]) -> str:
    changes = subgoal.get("changes")
    return changed_words(len(changes["files"])) if changes else ""


def _totals(record: Mapping[str, Any], glyphs: Glyphs) -> str:
    return totals_words(
        {**record["totals"], "kept": record["kept"]},
        seconds=record["duration_ms"] / 1000,
        agent_seconds=record["agent_ms"] / 1000,
        spent=Spent(record["cost_usd"], untold=record["untold_costs"]),
        budget=record["budget_usd"],
        glyphs=glyphs,
    )


def _took(milliseconds: int | None) -> str:
    return "" if milliseconds is None else format_duration(milliseconds / 1000)


def _cost(usd: float | None) -> str:
    return "" if usd is None else money(usd)


def _width(subgoals: list[Mapping[str, Any]], name: str) -> int:
    return min(max((len(safe_line(each[name])) for each in subgoals), default=0), _WIDEST)
