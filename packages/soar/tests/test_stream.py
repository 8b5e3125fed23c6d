"""The event stream: version 1, line by line, and from the command."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar import (
    BudgetWarned,
    CircuitChanged,
    Outcome,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
)
from aurora_soar.views import EventStream, Row
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    FallbackStarted,
    RetryScheduled,
    SpawnResult,
)

if TYPE_CHECKING:
    Command = Any
    Run = Any
    RunOf = Any

README = Path(__file__).parents[1] / "README.md"

PLAN = """
    defaults.retries = 1
    [agents.bad]
    command = ["sh", "-c", "echo half; exit 3"]
    [agents.good]
    command = ["echo", "well"]
    [[subgoals]]
    id = "bad"
    [[subgoals]]
    id = "good"
    [[subgoals]]
    id = "after"
    agent = "good"
    depends_on = ["bad"]
"""


def watched(run: Run) -> list[dict[str, Any]]:
    """Attach a stream to a run; returns the list that its lines come to."""
    lines: list[dict[str, Any]] = []

    def take(line: str) -> None:
        assert line.endswith("}\n")
        assert line.isascii()
        lines.append(json.loads(line))

    wall = datetime(2026, 1, 1, 14, 3, 9, 123000, UTC)
    stream = EventStream(
        run.board, "k3f9", take, lambda text: text.replace("hunter22", "****"), lambda: wall
    )
    run.saw = lambda event: stream.saw(event, run.now)
    stream.start("plan.toml")
    run.stream = stream
    return lines


def everything(run_of: RunOf) -> list[dict[str, Any]]:
    """The lines of a run in which everything happens."""
    run = run_of(Row("api", "coder", tool="claude"), Row("web", "coder"), budget_usd=12.0)
    lines = watched(run)
    run.happens(SubgoalStarted(0))
    run.hear(0, AttemptStarted(1, 3))
    run.board.rows[0].log = "api/1/stderr.log"
    told = SpawnResult(
        False,
        "",
        "hunter22 refused",
        1,
        tool="claude",
        execution_time=231,
        cost_usd=0.8,
        tokens_in=18200,
        tokens_out=2100,
    )
    run.hear(0, AttemptFinished(1, 3, told))
    run.hear(0, RetryScheduled(1, 2, 30, "hunter22 refused"))
    run.happens(ToolParked("claude", 60, "429"))
    run.happens(ToolResumed("claude"))
    run.happens(CircuitChanged("coder", "open", 2, 120))
    run.happens(CircuitChanged("coder", "half_open", 2))
    run.happens(CircuitChanged("coder", "closed"))
    run.happens(BudgetWarned(9.6, 12, "USD"))
    run.now += 300
    run.finish(0, Outcome.FAILED, "hunter22 refused", told)
    run.finish(1, Outcome.SKIPPED, "needs api")
    run.stream.finish(1, run.now)
    return lines


def test_every_line_says_what_run_it_is_of(run_of: RunOf) -> None:
    """Version, a number without gaps, the time in UTC and the run stand in every line."""
    lines = everything(run_of)
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        assert list(line)[:5] == ["v", "seq", "ts", "run", "type"]
        assert (line["v"], line["ts"], line["run"]) == (1, "2026-01-01T14:03:09.123Z", "k3f9")


def test_an_attempt_in_a_line(run_of: RunOf) -> None:
    """The end of an attempt says all of the attempt, without secrets (F64)."""
    (line,) = (each for each in everything(run_of) if each["type"] == "attempt.finished")
    assert {key: line[key] for key in list(line)[5:]} == {
        "subgoal": "api",
        "agent": "coder",
        "attempt": 1,
        "attempts": 3,
        "outcome": "failed",
        "tool": "claude",
        "model": None,
        "exit_code": 1,
        "error": "**** refused",
        "duration_ms": 231000,
        "cost_usd": 0.8,
        "tokens_in": 18200,
        "tokens_out": 2100,
        "log": "api/1/stderr.log",
    }


def test_no_line_holds_a_secret(run_of: RunOf) -> None:
    """F64: errors and reasons are cleaned wherever they are told."""
    lines = json.dumps(everything(run_of))
    assert "hunter22" not in lines
    assert lines.count("**** refused") == 3


def test_what_nobody_knows_is_null(run_of: RunOf) -> None:
    """An unknown cost is null and never 0, in an attempt, a subgoal and the run."""
    run = run_of(Row("a", "x", tool="codex"))
    lines = watched(run)
    run.start(0)
    run.ok(0, tool="codex")
    run.stream.finish(0, run.now)
    ended = [line for line in lines if "cost_usd" in line]
    assert [line["type"] for line in ended] == [
        "attempt.finished",
        "subgoal.finished",
        "run.finished",
    ]
    for line in ended:
        assert (line["cost_usd"], line["tokens_in"], line["tokens_out"]) == (None, None, None)


def test_a_stand_in_is_named(run_of: RunOf) -> None:
    """Attempts of an agent that stands in for another one bear its name; the subgoal does not."""
    run = run_of(Row("a", "coder"))
    lines = watched(run)
    run.start(0)
    run.fail_attempt(0, 1, "exit 1")
    run.hear(0, FallbackStarted("exit 1", "coder-b"))
    run.hear(0, AttemptStarted(1, 3))
    run.ok(0)
    named = [(line["type"], line["agent"]) for line in lines if "agent" in line]
    assert named[-3:] == [
        ("attempt.started", "coder-b"),
        ("attempt.finished", "coder-b"),
        ("subgoal.finished", "coder"),
    ]


def test_the_readme_tells_every_field(run_of: RunOf) -> None:
    """Each type has a row in the README, and the row names the line's own fields, all of them."""
    table = {
        kind: set(re.findall(r"`(\w+)`", fields))
        for kinds, fields in re.findall(
            r"^\| (`[\w.]+`(?:, `[\w.]+`)*) \| (.*) \|$", README.read_text(), re.MULTILINE
        )
        for kind in re.findall(r"`([\w.]+)`", kinds)
    }
    seen = {line["type"]: set(line) for line in everything(run_of)}
    common = {"v", "seq", "ts", "run", "type"}
    assert {kind: table.get(kind) for kind in seen} == {
        kind: fields - common for kind, fields in seen.items()
    }


@pytest.mark.parametrize("target", ["-", "events.jsonl"])
def test_the_stream_of_a_run(soar: Command, target: str) -> None:
    """On standard output or in a file: every line is JSON, from the start to the exit code."""
    ended = soar.run("run", soar.plan(PLAN), "--events", target)
    text = ended.out if target == "-" else (soar.folder / target).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert "\x1b" not in text
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert (lines[0]["type"], lines[0]["subgoals"]) == ("run.started", 3)
    assert lines[-1]["type"] == "run.finished"
    assert lines[-1]["exit_code"] == ended.code == 1
    finished = {
        line["subgoal"]: line["outcome"] for line in lines if line["type"] == "subgoal.finished"
    }
    assert finished == {"bad": "failed", "good": "ok", "after": "skipped"}
    logs = [line["log"] for line in lines if line["type"] == "attempt.finished"]
    assert all((soar.folder / log).exists() for log in logs)
    assert len(logs) == 3


def test_lines_come_as_things_happen(soar: Command) -> None:
    """A reader gets each line at once, not when the run is over."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sh", "-c", "until test -e go; do sleep 0.05 < plan.toml || exit 1; done"]
        [[subgoals]]
        id = "slow"
        """
    )
    process = soar.start("run", plan, "--events", "-")
    assert process.stdout is not None
    types = [json.loads(process.stdout.readline())["type"] for _ in range(3)]
    assert types == ["run.started", "subgoal.started", "attempt.started"]
    (soar.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_one_standard_output_is_not_enough_for_two(soar: Command) -> None:
    """`--json` and `--events -` together are refused before anything starts, with the way out."""
    ended = soar.run("run", soar.plan(PLAN), "--json", "--events", "-")
    assert (ended.code, ended.out) == (2, "")
    assert "give --events a file" in ended.err
    assert not (soar.folder / ".aurora").exists()


def test_the_reader_of_the_events_goes_away(soar: Command, alive: Any) -> None:
    """F32: with the reader of the events gone, agents are ended; exit 141, not a word of it."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sh", "-c", "echo $$ > pid; exec sleep 60"]
        [[subgoals]]
        id = "slow"
        [agents.next]
        command = ["sh", "-c", "until test -e go; do sleep 0.05 < plan.toml || exit 1; done"]
        [[subgoals]]
        id = "next"
        """
    )
    process = soar.start("run", plan, "--events", "-")
    pid = int(soar.wait_for_file("pid"))
    process.stdout.close()
    (soar.folder / "go").touch()
    assert process.wait(60) == 141
    assert b"Traceback" not in process.stderr.read()
    assert not alive(pid)


def test_events_that_cannot_be_written_from_the_start(soar: Command) -> None:
    """A file that cannot be opened is exit 74 before any agent starts."""
    for flag in ("--events", "--html", "--junit", "--trace"):
        ended = soar.run("run", soar.plan(PLAN), flag, "nowhere/file")
        assert ended.code == 74
        assert "nowhere/file" in ended.err
    assert not (soar.folder / ".aurora").exists()


def test_a_full_disk_under_the_events(soar: Command) -> None:
    """F58: if the events cannot be written any more, agents finish all the same; exit 74."""
    ended = soar.run("run", soar.plan(PLAN), "--events", "/dev/full")
    assert ended.code == 74
    assert "1 ok, 1 failed, 1 skipped" in ended.err
    assert "No space left on device" in ended.err
