"""The results of a run for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aurora_soar import BudgetWarned, CircuitChanged, Outcome, ToolParked, ToolResumed
from aurora_soar.views import Row
from aurora_spawner import AttemptFinished, AttemptStarted, RetryScheduled, SpawnResult

if TYPE_CHECKING:
    RunOf = Any


def test_the_record(run_of: RunOf) -> None:
    """The record holds every subgoal with its outcome; what is unknown is null; it is JSON."""
    run = run_of(Row("survey", "architect"), Row("api", "coder", ("survey",)), Row("late", "x"))
    run.start(0)
    run.now += 62
    run.ok(0, execution_time=62)
    run.start(1)
    run.now += 37
    run.board.rows[1].log = "runs/k3f9/api/1/stderr.log"
    run.fail_attempt(1, 1, "exit 1", 37)
    run.hear(1, RetryScheduled(1, 2, 2.0, "exit 1"))
    run.now += 2
    run.hear(1, AttemptStarted(2, 3))
    answer = SpawnResult(
        True,
        "done\n",
        None,
        0,
        tool="claude",
        execution_time=4,
        cost_usd=0.8,
        tokens_in=18200,
        session_id="5f2c",
        model="opus",
    )
    run.now += 4
    run.hear(1, AttemptFinished(2, 3, answer))
    run.finish(1, result=answer)
    run.board.cut("ended by SIGTERM", run.now)
    written = run.record(exit_code=143, clean=lambda text: text.replace("done", "****"))
    assert json.loads(json.dumps(written)) == written
    assert (written["v"], written["started"], written["duration_ms"], written["agent_ms"]) == (
        1,
        "2026-01-01T00:00:00.000+00:00",
        105000,
        103000,
    )
    assert (written["cost_usd"], written["tokens_in"], written["tokens_out"]) == (0.8, 18200, None)
    assert written["critical_path"] == ["survey", "api"]
    survey, api, late = written["subgoals"]
    history = api.pop("history")
    assert api == {
        "id": "api",
        "agent": "coder",
        "depends_on": ["survey"],
        "outcome": "ok",
        "error": None,
        "output": "****\n",
        "tool": "claude",
        "tool_version": None,
        "model": "opus",
        "session_id": "5f2c",
        "exit_code": 0,
        "cost_usd": 0.8,
        "tokens_in": 18200,
        "tokens_out": None,
        "attempts": 2,
        "flaky": True,
        "fallback": False,
        "kept": False,
        "answered_by": None,
        "changes": None,
        "started_ms": 62000,
        "duration_ms": 43000,
        "agent_ms": 41000,
        "warnings": [],
        "log": "runs/k3f9/api/1/stderr.log",
    }
    assert [(each["kind"], each["start_ms"], each["end_ms"]) for each in history] == [
        ("blocked", 0, 62000),
        ("attempt", 62000, 99000),
        ("retry", 99000, 101000),
        ("attempt", 101000, 105000),
    ]
    assert (history[1]["outcome"], history[1]["error"], history[1]["cost_usd"]) == (
        "failed",
        "exit 1",
        None,
    )
    assert (history[3]["outcome"], history[3]["cost_usd"]) == ("ok", 0.8)
    assert survey["cost_usd"] is None
    assert (late["outcome"], late["started_ms"], late["tool"]) == ("skipped", None, None)
    assert sum(written["totals"][key] for key in written["totals"] if key in set(Outcome)) == 3


def test_a_failed_attempt_brings_its_last_lines(run_of: RunOf) -> None:
    """Of a failed attempt the last forty lines are kept, cleaned; of a successful one none."""
    run = run_of(Row("a", "x"))
    run.start(0)
    said = "\n".join(f"line {number}" for number in range(60))
    result = SpawnResult(False, said, "exit 1", 1, stderr="secret sauce\n\n")
    run.now += 1
    run.hear(0, AttemptFinished(1, 3, result))
    run.finish(0, Outcome.FAILED, "exit 1", result)
    (attempt,) = run.record(clean=lambda text: text.replace("secret", "****"))["subgoals"][0][
        "history"
    ]
    lines = attempt["tail"].split("\n")
    assert (len(lines), lines[0], lines[-1]) == (40, "line 21", "**** sauce")


def test_an_attempt_that_told_no_cost_is_counted(run_of: RunOf) -> None:
    """A sum of costs says how many attempts of a model it lacks; programs cost nothing."""
    run = run_of(Row("a", "x"), Row("b", "x"), Row("c", "x"))
    for position, (tool, cost) in enumerate([("claude", 0.25), ("codex", None), ("command", None)]):
        run.start(position)
        run.ok(position, tool=tool, cost_usd=cost)
    written = run.record()
    assert (written["cost_usd"], written["untold_costs"]) == (0.25, 1)


def test_what_concerns_no_single_subgoal_is_listed(run_of: RunOf) -> None:
    """Parked tools, circuits and budget warnings stand in the record, each with its moment."""
    run = run_of(Row("a", "x"))
    run.now += 1
    run.happens(ToolParked("claude", 60, "429"))
    run.now += 1
    run.happens(ToolResumed("claude"))
    run.happens(CircuitChanged("x", "open", 2, 120))
    run.happens(CircuitChanged("x", "half_open", 2))
    run.happens(BudgetWarned(9.6, 12, "USD"))
    assert run.record()["changes"] == [
        {"at_ms": 1000, "type": "tool.parked", "tool": "claude"}
        | {"resume_in_ms": 60000, "reason": "429"},
        {"at_ms": 2000, "type": "tool.resumed", "tool": "claude"},
        {"at_ms": 2000, "type": "circuit.opened", "agent": "x", "failures": 2}
        | {"retry_in_ms": 120000},
        {"at_ms": 2000, "type": "circuit.half_open", "agent": "x"},
        {"at_ms": 2000, "type": "budget.warning", "spent": 9.6, "limit": 12, "unit": "USD"},
    ]
