"""JUnit XML and the trace of a run."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from aurora_soar import CircuitChanged, Outcome, ToolParked
from aurora_soar.views import Row, junit, trace
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

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


def mixed(run_of: RunOf) -> Run:
    """A run with a flaky, a failed, a blocked, a cut, a skipped subgoal and one by fallback."""
    run = run_of(
        Row("flaky", "x"),
        Row("failed", "y", ("flaky",)),
        Row("blocked", "z"),
        Row("cut", "x"),
        Row("skipped", "x", ("failed",)),
        Row("stood-in", "w"),
    )
    for position in (0, 3, 5):
        run.start(position)
    run.now += 10
    for position in (0, 5):
        result = SpawnResult(False, "half\x00\x1b[31m", "exit 1", 1, stderr="<boom> & co\n")
        run.hear(position, AttemptFinished(1, 3, result))
    run.hear(5, FallbackStarted("exit 1", "v"))
    run.hear(5, AttemptStarted(1, 3))
    run.hear(0, RetryScheduled(1, 2, 2, "exit 1"))
    run.now += 2
    run.hear(0, AttemptStarted(2, 3))
    run.now += 3
    run.ok(0, "answer ]]>\n")
    run.ok(5, "other", fallback=True)
    run.happens(CircuitChanged("z", "open", 2, 120))
    run.finish(2, Outcome.BLOCKED, "Circuit breaker open: 2 failures")
    run.happens(ToolParked("claude", 60, "429"))
    run.start(1)
    run.now += 1
    run.fail_attempt(1, 1, "exit 2")
    run.finish(1, Outcome.FAILED, "exit 2")
    run.finish(4, Outcome.SKIPPED, "needs failed")
    run.board.cut("ended by SIGINT", run.now)
    return run


def test_junit(run_of: RunOf) -> None:
    """Every subgoal is a test case; no answer is a failure, an error or a skip, with its reason."""
    root = ElementTree.fromstring(junit(mixed(run_of).record()))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    for element in (root, suite):
        counts = [int(element.get(key)) for key in ("tests", "failures", "errors", "skipped")]
        assert counts == [6, 1, 2, 1]
    cases = {case.get("name"): case for case in suite}
    assert {name: [child.tag for child in case] for name, case in cases.items()} == {
        "flaky": ["flakyFailure", "system-out"],
        "failed": ["failure"],
        "blocked": ["error"],
        "cut": ["error"],
        "skipped": ["skipped"],
        "stood-in": ["flakyFailure", "system-out"],
    }
    assert (cases["flaky"].get("classname"), cases["flaky"].get("time")) == ("x", "15.000")
    assert cases["blocked"][0].get("message") == "Circuit breaker open: 2 failures"
    assert cases["flaky"][0].text == "half\\x00\\x1b[31m\n<boom> & co"
    assert cases["flaky"].findtext("system-out") == "answer ]]>\n"


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_text_is_xml(run_of: RunOf, name: str, said: str, error: str) -> None:
    """F9: whatever ids, agents and errors hold, the XML can be read, and the counts are right."""
    run = run_of(Row(name, said))
    run.start(0)
    run.hear(0, AttemptFinished(1, 1, SpawnResult(False, said, error, 1, stderr=error)))
    run.finish(0, Outcome.FAILED, error, SpawnResult(False, said, error, 1))
    text = junit(run.record()).encode("utf-8", "strict")
    assert len(ElementTree.fromstring(text).findall("*/testcase/failure")) == 1


def test_a_trace(run_of: RunOf) -> None:
    """Slices of a thread follow each other, flows go forward and are paired, the load ends at 0."""
    run = mixed(run_of)
    told = json.loads(trace(run.record()))
    events = told["traceEvents"]
    assert set(Counter(each["ph"] for each in events)) == {"M", "X", "s", "f", "C", "i"}
    names = {each["tid"]: each["args"]["name"] for each in events if each["name"] == "thread_name"}
    assert names == {0: "run"} | {number: row.id for number, row in enumerate(run.board.rows, 1)}
    for thread in names:
        slices = [each for each in events if each["ph"] == "X" and each["tid"] == thread]
        clock = 0
        for each in slices:
            assert each["ts"] >= clock
            clock = each["ts"] + each["dur"]
    flows: dict[int, list[dict[str, Any]]] = {}
    for each in events:
        if each["ph"] in "sf":
            flows.setdefault(each["id"], []).append(each)
    assert flows
    for start, finish in flows.values():
        assert (start["ph"], finish["ph"]) == ("s", "f")
        assert start["ts"] <= finish["ts"]
    loads = [each["args"]["agents"] for each in events if each["ph"] == "C"]
    assert (min(loads), loads[-1]) == (0, 0)
    assert [each["name"] for each in events if each["ph"] == "i"] == [
        "circuit.opened z",
        "tool.parked claude",
    ]


PLAN = """
    defaults.retries = 0
    [agents.good]
    command = ["sh", "-c", "echo my token is $API_TOKEN"]
    [agents.bad]
    command = ["sh", "-c", "echo $API_TOKEN >&2; exit 3"]
    [[subgoals]]
    id = "good"
    description = "hunter2-hunter2"
    [[subgoals]]
    id = "bad"
"""


def test_the_files_of_a_run(soar: Command) -> None:
    """F64: page, JUnit XML, trace and events of one run, each whole and without its secrets."""
    files = ("page.html", "junit.xml", "trace.json", "events.jsonl")
    flags = ("--html", "--junit", "--trace", "--events")
    arguments = [part for pair in zip(flags, files, strict=True) for part in pair]
    secret = "hunter2-hunter2"
    ended = soar.run("run", soar.plan(PLAN), *arguments, env={"API_TOKEN": secret})
    assert ended.code == 1
    html, xml, told, events = ((soar.folder / name).read_text() for name in files)
    for text in (html, xml, told, events):
        assert secret not in text
    assert "my token is [redacted]" in html
    assert "my token is [redacted]" in xml
    assert ElementTree.fromstring(xml).get("failures") == "1"
    assert json.loads(told)["traceEvents"]
    (log,) = (path for path in soar.folder.glob(".aurora/runs/*/bad/1/stderr.log"))
    assert f'href="./{log.relative_to(soar.folder)}"' in html
    run = log.parents[2].name
    assert f"Next: aurora-soar show {run} bad · aurora-soar resume {run}\n" in ended.err
    assert f"aurora-soar resume {run}</code>" in html


def test_a_resumed_run_is_exported_as_any_other(soar: Command) -> None:
    """`resume` writes page, JUnit XML, trace and events too, of kept and of new results."""
    code, results = soar.results(soar.plan(PLAN))
    assert code == 1
    files = ("page.html", "junit.xml", "trace.json", "events.jsonl")
    flags = ("--html", "--junit", "--trace", "--events")
    arguments = [part for pair in zip(flags, files, strict=True) for part in pair]
    assert soar.run("resume", results["run"], *arguments).code == 1
    html, xml, told, events = ((soar.folder / name).read_text() for name in files)
    assert f'run <span class="id">{results["run"]}</span>' in html
    assert ElementTree.fromstring(xml).get("failures") == "1"
    assert json.loads(told)["traceEvents"]
    assert json.loads(events.splitlines()[-1])["type"] == "run.finished"
    both = soar.run("resume", "--json", "--events", "-")
    assert (both.code, both.out) == (2, "")
    assert "both want standard output" in both.err


def test_a_page_is_written_after_ctrl_c_too(soar: Command) -> None:
    """A run that is ended by a signal has its page all the same, and it says so."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sh", "-c", "echo $$ > pid; exec sleep 60"]
        [[subgoals]]
        id = "slow"
        """
    )
    process = soar.start("run", plan, "--html", "page.html", "--events", "events.jsonl")
    soar.wait_for_file("pid")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert (
        "Ended by SIGTERM: 1 of 1 subgoals has no answer" in (soar.folder / "page.html").read_text()
    )
    events = [json.loads(line) for line in (soar.folder / "events.jsonl").read_text().splitlines()]
    assert [(each["type"], each.get("outcome")) for each in events[-2:]] == [
        ("subgoal.finished", "unfinished"),
        ("run.finished", "failed"),
    ]
    assert events[-1]["exit_code"] == 143
