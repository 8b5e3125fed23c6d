"""What the page says in words and numbers: verdict, totals, what became of tools; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aurora_soar.views.theme import money
from aurora_spawner import format_duration

__all__ = ["Fact", "Verdict", "change_words", "totals_of", "verdict_of"]

_BY_SIGNAL = {129: "Ended by SIGHUP", 130: "Ended by Ctrl-C", 143: "Ended by SIGTERM"}
_LIMIT = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the run ended: whether all is well, and in a sentence."""

    is_ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A number of the run: what it is, how much, and what there is to add."""

    name: str
    value: str
    note: str = ""


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    """The run in a sentence."""
    totals = record["totals"]
    total, ok, code = totals["subgoals"], totals["ok"], record["exit_code"]
    if ok == total:
        words = {0: "Nothing to do", 1: "The subgoal has its answer"}.get(
            total, f"All {total} subgoals have answers"
        )
        return Verdict(is_ok=True, words=words)
    without = total - ok
    words = f"{without} of {total} subgoals {'has' if without == 1 else 'have'} no answer"
    why = _BY_SIGNAL.get(code) or ("A limit of the run came first" if code == _LIMIT else "")
    return Verdict(is_ok=False, words=f"{why}: {words}" if why else words)


def totals_of(record: Mapping[str, Any]) -> list[Fact]:
    """The numbers of the run that there are."""
    return list(_facts(record))


def change_words(change: Mapping[str, Any]) -> str:
    """What there is to say of a tool, a circuit or the budget; see `aurora_soar.views.changes`."""
    match change:
        case {"type": "tool.parked", "reason": reason, "resume_in_ms": wait}:
            return f"{reason}; resumes in {format_duration(wait / 1000)}"
        case {"type": "circuit.opened", "failures": failures, "retry_in_ms": wait}:
            probe = "" if wait is None else f", probe in {format_duration(wait / 1000)}"
            return f"{failures} failure{'' if failures == 1 else 's'}{probe}"
        case {"type": "budget.warning", "spent": spent, "limit": limit, "unit": unit}:
            if unit == "USD":
                return f"{money(spent)} of {money(limit)} spent"
            return f"{spent:,.0f} of {limit:,.0f} {unit} spent"
        case _:
            return ""


def _facts(record: Mapping[str, Any]) -> Iterator[Fact]:
    totals = record["totals"]
    among = {"kept": record["kept"], "flaky": totals["flaky"], "by fallback": totals["by_fallback"]}
    special = ", ".join(f"{count} {word}" for word, count in among.items() if count)
    yield Fact("ok", f"{totals['ok']} of {totals['subgoals']}", special)
    for outcome in ("failed", "blocked", "unfinished", "skipped"):
        if totals[outcome]:
            yield Fact(outcome, str(totals[outcome]))
    agents, took = record["agent_ms"], record["duration_ms"]
    yield Fact("time", format_duration(took / 1000), _against_chain(record))
    together = f"{agents / took:.1f} at once, of {record['max_concurrent']}" if took else ""
    yield Fact("agent time", format_duration(agents / 1000), together)
    if record["cost_usd"] is not None or record["budget_usd"] is not None:
        yield _cost(record)
    if record["tokens_in"] is not None or record["tokens_out"] is not None:
        read, written = record["tokens_in"] or 0, record["tokens_out"] or 0
        yield Fact("tokens", f"{read + written:,}", f"{read:,} read, {written:,} written")


def _against_chain(record: Mapping[str, Any]) -> str:
    durations = {each["id"]: each["duration_ms"] or 0 for each in record["subgoals"]}
    chain = sum(durations[each] for each in record["critical_path"])
    return f"critical path {format_duration(chain / 1000)}" if chain else ""


def _cost(record: Mapping[str, Any]) -> Fact:
    cost, budget, untold = record["cost_usd"], record["budget_usd"], record["untold_costs"]
    notes = []
    if budget is not None:
        notes.append(f"of {money(budget)}")
    if untold:
        notes.append(f"{untold} attempt{'' if untold == 1 else 's'} told no cost")
    return Fact("cost", "unknown" if cost is None else money(cost), ", ".join(notes))
