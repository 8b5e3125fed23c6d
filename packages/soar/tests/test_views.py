"""What people see of a run: rows, table, lines, summary, record."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aurora_soar import AgentOutput, Outcome, SubgoalEvent, SubgoalFinished, SubgoalStarted
from aurora_soar.views import ASCII, UNICODE, Board, LiveView, PlainView, Row, record, summary
from aurora_soar.views.table import frame
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    OutputLine,
    RetryScheduled,
    SpawnResult,
    Warned,
)


class Run:
    """A run whose clock and events a test decides."""

    def __init__(self, *rows: Row, limit: int = 4) -> None:
        self.now = 1000.0
        self.board = Board("auth-rewrite", rows, limit=limit, started=self.now)
        self.saw: Callable[[object], None] = lambda event: None

    def happens(self, event: SubgoalStarted | SubgoalEvent | SubgoalFinished) -> None:
        self.board.apply(event, self.now)
        self.saw(event)

    def start(self, position: int) -> None:
        self.happens(SubgoalStarted(position))
        self.hear(position, AttemptStarted(1, 3))

    def hear(self, position: int, event: Event) -> None:
        self.happens(SubgoalEvent(position, event))

    def say(self, position: int, text: str) -> None:
        self.hear(position, OutputLine("stdout", text))

    def fail_attempt(self, position: int, attempt: int, error: str, seconds: float = 0) -> None:
        result = SpawnResult(False, "", error, 1, execution_time=seconds)
        self.hear(position, AttemptFinished(attempt, 3, result))

    def finish(
        self,
        position: int,
        outcome: Outcome = Outcome.OK,
        error: str | None = None,
        result: SpawnResult | None = None,
    ) -> None:
        agent = self.board.rows[position].agent
        text = result.output if result else ""
        output = AgentOutput(position, agent, outcome, text, error, result)
        self.happens(SubgoalFinished(position, output))

    def table(self, width: int = 79, height: int = 23) -> list[str]:
        lines = frame(self.board, self.now, width=width, height=height, glyphs=UNICODE)
        return [line.plain.rstrip() for line in lines]

    def end(self) -> list[str]:
        return [line.plain for line in summary(self.board, self.now, UNICODE)]


def six() -> Run:
    """A run in which every state occurs."""
    run = Run(
        Row("survey", "architect"),
        Row("api", "coder", ("survey",)),
        Row("docs", "coder"),
        Row("lint", "linter"),
        Row("verify", "tests", ("api", "docs")),
        Row("notes", "writer", ("lint",)),
        Row("extra", "coder-b"),
    )
    run.start(0)
    run.start(2)
    run.start(3)
    run.now += 11
    run.say(0, "wrote survey.md")
    run.fail_attempt(2, 1, "exit 1", 11)
    run.hear(2, RetryScheduled(1, 2, 30.0, "exit 1"))
    run.fail_attempt(3, 1, "exit 2", 11)
    run.finish(3, Outcome.FAILED, "exit 2: 3 problems\nsecond line")
    run.finish(5, Outcome.SKIPPED, "needs lint")
    run.now += 51
    run.finish(0)
    run.start(1)
    run.happens(SubgoalStarted(6))
    run.now += 39
    run.say(1, "editing src/auth/tokens.py")
    run.finish(6, Outcome.BLOCKED, "Circuit breaker open: 2 failures")
    return run


def test_the_table() -> None:
    """Failures come first, then the rows in the plan's order, each with what there is to say."""
    assert six().table() == [
        "aurora-soar auth-rewrite                             4/7 done · 2 failed · 1:41",
        "  SUBGOAL  AGENT        TRY   TIME  LAST LINE",
        "✕ lint     linter       1/3   0:11  exit 2: 3 problems",
        "✕ extra    coder-b        –   0:39  Circuit breaker open: 2 failures",
        "✓ survey   architect    1/3   1:02  wrote survey.md",
        "● api      coder        1/3   0:39  editing src/auth/tokens.py",
        "↻ docs     coder        1/3   1:41  retry in 0:00: exit 1",
        "· verify   tests          –      –  needs api, docs",
        "– notes    writer         –      –  needs lint",
        "running 1/4 · retry 1 · waiting 1",
    ]


def test_the_table_of_a_narrow_screen() -> None:
    """Below sixty cells the agents' column goes, and what does not fit is cut with a mark."""
    lines = six().table(width=40)
    assert "aurora-soar…  4/7 done · 2 failed · 1:41" in lines[0]
    assert lines[1] == "  SUBGOAL    TRY   TIME  LAST LINE"
    assert lines[3] == "✕ extra        –   0:39  Circuit breake…"


def test_a_short_screen_shows_failures_then_what_goes_on() -> None:
    """With too few lines: failures, retries, running rows by age; the footer counts the rest."""
    run = six()
    lines = run.table(height=7)
    assert [line.split()[1] for line in lines[2:-1]] == ["lint", "extra", "docs", "api"]
    assert lines[-1] == "running 1/4 · retry 1 · waiting 1 · not shown 3"


def test_failures_never_hide_everything_that_goes_on() -> None:
    """With more failures than lines, half of the lines still show what is going on."""
    run = Run(*(Row(f"r{number}", "x") for number in range(40)), limit=40)
    for position in range(40):
        run.start(position)
    for position in range(30):
        run.finish(position, Outcome.FAILED, "exit 1")
    shown = [line.split()[0] for line in run.table(height=15)[2:-1]]
    assert shown == ["✕"] * 6 + ["●"] * 6


def test_a_waiting_row_names_what_it_still_needs() -> None:
    """What is done is no longer named; with nothing left, the row waits for a slot."""
    run = Run(Row("a", "x"), Row("b", "x"), Row("c", "x", ("a", "b")))
    run.start(0)
    run.finish(0)
    assert run.table()[4].endswith("needs b")
    run.start(1)
    run.finish(1)
    assert run.table()[4].endswith("waits for a slot")


def test_a_progress_bar_is_one_clean_line() -> None:
    """F10: of a line that was rewritten in place, the last state is shown."""
    run = Run(Row("a", "x"))
    run.start(0)
    run.say(0, "10 %\r50 %\r90 %\r")
    assert run.table()[2].endswith("90 %")
    run.say(0, "   ")
    assert run.table()[2].endswith("90 %")


def test_a_retry_counts_down_to_its_attempt() -> None:
    """The time until the next attempt shrinks with the clock, and the try counts up after it."""
    run = Run(Row("a", "x"))
    run.start(0)
    run.hear(0, RetryScheduled(1, 2, 30.0, "exit 1"))
    run.now += 6
    assert run.table()[2].endswith("1/3   0:06  retry in 0:24: exit 1")
    run.hear(0, AttemptStarted(2, 3))
    assert "2/3" in run.table()[2]
    assert "retry" not in run.table()[2]


def test_a_fallback_is_told() -> None:
    """A fallback shows why it came, then what it says, and is counted as such."""
    run = Run(Row("a", "x"))
    run.start(0)
    run.hear(0, FallbackStarted("exit 1"))
    assert run.table()[2].endswith("fallback: exit 1")
    run.say(0, "thinking")
    assert run.table()[2].endswith("fallback: thinking")
    answer = SpawnResult(True, "plain answer", None, 0, fallback=True, execution_time=5)
    run.finish(0, result=answer)
    assert run.table()[2].endswith("by fallback: plain answer")
    assert run.end() == ["1 ok (1 by fallback) · 0:00 (agent time 0:05)"]


HOSTILE = st.text(st.sampled_from("ab\x1b[31m\r\n\t\x9b\u202e\u200b漢é😀"), max_size=30)


@given(HOSTILE, HOSTILE, st.integers(1, 90), st.integers(1, 12))
def test_no_text_breaks_out_of_the_table(name: str, said: str, width: int, height: int) -> None:
    """F9: whatever ids and agents say, the table keeps to its size and holds no control."""
    run = Run(Row(name, said), Row("b", name, (name,)), Row("c", "x"))
    run.start(0)
    run.say(0, said)
    run.start(2)
    run.finish(2, Outcome.FAILED, said)
    lines = frame(run.board, run.now, width=width, height=height, glyphs=ASCII)
    assert len(lines) <= height
    for line in lines:
        assert line.cell_len <= width
        assert line.plain.isprintable()


def plain(run: Run) -> io.StringIO:
    """Attach a plain view to a run; returns what it writes to."""
    stream = io.StringIO()
    view = PlainView(
        run.board,
        Console(file=stream, width=80, highlight=False),
        UNICODE,
        lambda: run.now,
        lambda: datetime(2026, 1, 1, 14, 3, 9),
    )
    run.saw = view.saw  # type: ignore[assignment]
    run.view = view  # type: ignore[attr-defined]
    return stream


def test_plain_lines() -> None:
    """Each change is one line: time, verb to the right, subgoal, what happened."""
    run = Run(Row("docs", "writer"), Row("tests", "tests"), Row("review", "x", ("tests",)))
    stream = plain(run)
    run.start(0)
    run.say(0, "agents' words are not shown")
    run.now += 44
    run.hear(0, RetryScheduled(1, 2, 30.0, "exit 1"))
    run.hear(0, AttemptStarted(2, 3))
    run.hear(0, Warned("slow"))
    run.now += 68
    run.finish(0)
    run.start(1)
    run.hear(1, FallbackStarted("exit 2"))
    result = SpawnResult(False, "one\ntwo\n", "exit 2", 2, stderr="three\x1b[31m\n")
    run.finish(1, Outcome.FAILED, "exit 2", result)
    run.finish(2, Outcome.SKIPPED, "needs tests")
    assert stream.getvalue().splitlines() == [
        "14:03:09      START  docs    writer",
        "14:03:09      RETRY  docs    1/3 exit 1, next in 30s",
        "14:03:09       WARN  docs  slow",
        "14:03:09         OK  docs    2/3 1:52",
        "14:03:09      START  tests   tests",
        "14:03:09   FALLBACK  tests   exit 2",
        "14:03:09       FAIL  tests   1/3 0:00 exit 2",
        "                     one",
        "                     two",
        "                     three\\x1b[31m",
        "14:03:09       SKIP  review  needs tests",
    ]


def test_a_failures_output_is_shown_by_its_end() -> None:
    """Of a failed subgoal's output, the last twenty lines are shown."""
    run = Run(Row("a", "x"))
    stream = plain(run)
    run.start(0)
    output = "\n".join(map(str, range(100)))
    run.finish(0, Outcome.FAILED, "exit 1", SpawnResult(False, output, "exit 1", 1))
    assert [line.strip() for line in stream.getvalue().splitlines()[2:]] == [
        str(number) for number in range(80, 100)
    ]


def test_a_heartbeat_after_a_minute_of_silence() -> None:
    """A minute without a line brings one that names who is under way; then a minute's rest."""
    run = Run(Row("a", "x"), Row("b", "x"))
    stream = plain(run)
    run.start(0)
    for _ in range(2):
        stream.truncate(stream.seek(0))
        run.now += 59.9
        run.view.tick()  # type: ignore[attr-defined]
        assert stream.getvalue() == ""
        run.now += 0.2
        run.view.tick()  # type: ignore[attr-defined]
        assert "RUNNING  0/2 done · a " in stream.getvalue()


def test_the_summary() -> None:
    """What has no answer is listed, causes first; the totals come last."""
    run = six()
    run.board.rows[3].log = ".aurora/runs/k3f9/lint/1/stderr.log"
    run.board.cut("ended by SIGINT", run.now)
    assert run.end() == [
        "FAIL  lint    1/3  0:11  exit 2: 3 problems",
        "      log: .aurora/runs/k3f9/lint/1/stderr.log",
        "BLOCKED  extra   0:39  Circuit breaker open: 2 failures",
        "CUT   api     1/3  0:39  ended by SIGINT",
        "CUT   docs    1/3  1:41  ended by SIGINT",
        "SKIP  verify  ended by SIGINT",
        "SKIP  notes   needs lint",
        "1 ok, 1 failed, 1 blocked, 2 unfinished, 2 skipped · 1:41 (agent time 0:22)",
    ]


def test_a_long_summary_is_cut() -> None:
    """Of many failures twenty are listed; subgoals skipped for one reason are only counted."""
    run = Run(*(Row(f"r{number}", "x") for number in range(50)))
    for position in range(30):
        run.finish(position, Outcome.FAILED, "exit 1")
    for position in range(30, 49):
        run.finish(position, Outcome.SKIPPED, "needs r0")
    run.finish(49, Outcome.SKIPPED, "needs r1")
    assert len(run.end()) == 24
    assert run.end()[20:23] == [
        "FAIL  and 10 more",
        "SKIP  r49  needs r1",
        "SKIP  19 subgoals  needs r0",
    ]


def test_the_record() -> None:
    """The record holds every subgoal with its outcome; what is unknown is null; it is JSON."""
    run = six()
    run.fail_attempt(1, 1, "exit 1", 2)
    run.hear(1, AttemptStarted(2, 3))
    run.finish(1, result=SpawnResult(True, "done\n", None, 0, tool="claude"))
    run.board.cut("ended by SIGTERM", run.now)
    written = record(
        run.board,
        run="k3f9",
        plan="plan.toml",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=101.5,
        exit_code=143,
    )
    assert json.loads(json.dumps(written)) == written
    assert (written["v"], written["started"], written["duration_ms"]) == (
        1,
        "2026-01-01T00:00:00.000+00:00",
        101500,
    )
    api = written["subgoals"][1]
    assert api == {
        "id": "api",
        "agent": "coder",
        "depends_on": ["survey"],
        "outcome": "ok",
        "error": None,
        "output": "done\n",
        "tool": "claude",
        "exit_code": 0,
        "attempts": 2,
        "flaky": True,
        "fallback": False,
        "started_ms": 62000,
        "duration_ms": 39000,
        "agent_ms": 2000,
        "warnings": [],
        "log": None,
    }
    verify = written["subgoals"][4]
    assert (verify["outcome"], verify["started_ms"], verify["tool"]) == ("skipped", None, None)
    assert sum(written["totals"][key] for key in written["totals"] if key in set(Outcome)) == 7


def screen(size: tuple[int, int]) -> Console:
    width, height = size
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None
    )


def test_the_live_view_draws_in_place_and_clears_after_a_resize() -> None:
    """Drawings replace each other; a new size clears the screen; the last state stays."""
    run = six()
    console = screen((80, 24))
    view = LiveView(run.board, console, UNICODE, lambda: run.now)
    written = console.file
    assert isinstance(written, io.StringIO)
    view.start()
    view.saw(SubgoalStarted(0))
    view.tick()
    assert "\x1b[2J" not in written.getvalue()
    assert "\x1b[1A" in written.getvalue()
    console.size = (60, 15)  # type: ignore[assignment]
    console.width, console.height = 60, 15
    view.tick()
    assert "\x1b[2J" in written.getvalue()
    view.note("bad \x1b[31m news")
    assert "bad \\x1b[31m news" in written.getvalue()
    written.truncate(written.seek(0))
    view.stop()
    assert "running 1/4" in written.getvalue().splitlines()[-1]
    assert "\x1b[?1049" not in written.getvalue()


@pytest.mark.parametrize("height", [1, 2, 3])
def test_a_tiny_screen(height: int) -> None:
    """On a screen of one or two lines the header and the footer are what is left."""
    lines = six().table(height=height)
    assert len(lines) <= height
    assert lines[0].startswith("aurora-soar")
