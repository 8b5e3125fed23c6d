"""What people see of a run: rows, table, lines, summary."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aurora_soar import (
    AgentOutput,
    BudgetWarned,
    CircuitChanged,
    Outcome,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
)
from aurora_soar.views import (
    ASCII,
    UNICODE,
    LiveView,
    PlainView,
    Row,
    next_commands,
    run_lines,
    subgoal_lines,
)
from aurora_soar.views.table import frame
from aurora_soar.views.theme import spent_words
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    FallbackStarted,
    RetryScheduled,
    SpawnResult,
    Warned,
)

if TYPE_CHECKING:
    Run = Any
    RunOf = Any


def six(run_of: RunOf) -> Run:
    """A run in which every state occurs."""
    run = run_of(
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


def test_the_table(run_of: RunOf) -> None:
    """Failures come first, then the rows in the plan's order, each with what there is to say."""
    assert six(run_of).table() == [
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


def test_the_table_of_a_narrow_screen(run_of: RunOf) -> None:
    """Below sixty cells the agents' column goes, and what does not fit is cut with a mark."""
    lines = six(run_of).table(width=40)
    assert "aurora-soar…  4/7 done · 2 failed · 1:41" in lines[0]
    assert lines[1] == "  SUBGOAL    TRY   TIME  LAST LINE"
    assert lines[3] == "✕ extra        –   0:39  Circuit breake…"


def test_a_short_screen_shows_failures_then_what_goes_on(run_of: RunOf) -> None:
    """With too few lines: failures, retries, running rows by age; the footer counts the rest."""
    run = six(run_of)
    lines = run.table(height=7)
    assert [line.split()[1] for line in lines[2:-1]] == ["lint", "extra", "docs", "api"]
    assert lines[-1] == "running 1/4 · retry 1 · waiting 1 · not shown 3"


def test_failures_never_hide_everything_that_goes_on(run_of: RunOf) -> None:
    """With more failures than lines, half of the lines still show what is going on."""
    run = run_of(*(Row(f"r{number}", "x") for number in range(40)), limit=40)
    for position in range(40):
        run.start(position)
    for position in range(30):
        run.finish(position, Outcome.FAILED, "exit 1")
    shown = [line.split()[0] for line in run.table(height=15)[2:-1]]
    assert shown == ["✕"] * 6 + ["●"] * 6


def held_up(run_of: RunOf) -> Run:
    """A run with a parked tool, an open circuit, a budget and costs."""
    run = run_of(
        Row("survey", "architect", tool="claude"),
        Row("api", "coder", ("survey",), tool="claude"),
        Row("docs", "coder", tool="claude"),
        Row("lint", "linter", tool="command"),
        Row("tests", "tests", tool="command"),
        budget_usd=12.0,
    )
    run.start(0)
    run.now += 62
    run.ok(0, "wrote survey.md", tool="claude", cost_usd=0.21)
    run.start(3)
    run.say(3, "one")
    run.say(3, "two")
    run.finish(4, Outcome.FAILED, "exit 2")
    run.happens(ToolParked("claude", 288.0, "429: usage limit"))
    run.happens(CircuitChanged("coder-b", "open", 2, 120.0))
    run.happens(CircuitChanged("coder-c", "half_open", 3))
    return run


def test_what_holds_others_up_stands_below_the_failures(run_of: RunOf) -> None:
    """Parked tools say until when and how many they hold, circuits when they are probed."""
    run = held_up(run_of)
    moment = datetime(2026, 1, 1, 14, 27, 17)
    lines = frame(
        run.board,
        run.now,
        width=79,
        height=23,
        glyphs=UNICODE,
        when=lambda at: f"{moment + timedelta(seconds=at - run.now):%H:%M:%S}",
        forecast="no finish estimate yet (2 of 5 durations)",
    )
    assert [line.plain.rstrip() for line in lines] == [
        "aurora-soar auth-rewrite           2/5 done · 1 failed · 1:02 · $0.21 of $12.00",
        "  SUBGOAL  AGENT        TRY   TIME    COST  LAST LINE",
        "✕ tests    tests          –      –       –  exit 2",
        "◷ claude   parked: 429: usage limit; resumes 14:32:05 (in 4:48); 2 held",
        "✕ coder-b  circuit open (2 failures); probe 14:29:17",
        "↻ coder-c  circuit half open, a probe may run",
        "✓ survey   architect    1/3   1:02   $0.21  wrote survey.md",
        "· api      coder          –      –       –  held: claude is parked",
        "· docs     coder          –      –       –  held: claude is parked",
        "● lint     linter       1/3   0:00       –  two",
        "",
        "  lint     one",
        "           two",
        "running 1/4 · waiting 2               no finish estimate yet (2 of 5 durations)",
    ]


def test_an_agents_words_have_no_colour(run_of: RunOf) -> None:
    """Colour says how a subgoal stands, in front of its words; those stay readable."""
    run = run_of(Row("a", "x"))
    run.start(0)
    run.finish(0, Outcome.FAILED, "words")
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(frame(run.board, run.now, width=79, height=23, glyphs=UNICODE)[2])
    assert re.fullmatch(r"\x1b\[31m✕ a .*\x1b\[0mwords\n", console.file.getvalue())  # type: ignore[attr-defined]


def test_what_holds_others_up_never_takes_the_whole_screen(run_of: RunOf) -> None:
    """On a short screen notices have a third of the lines, and failures stay on top of them."""
    run = held_up(run_of)
    lines = run.table(height=9)
    assert [line.split()[1] for line in lines[2:-1]] == [
        "tests",
        "claude",
        "coder-b",
        "lint",
        "api",
        "docs",
    ]
    assert run.table(width=45)[3].startswith("◷ claude   parked: 429: usage limit; resumes…")


@pytest.mark.parametrize(
    ("costs", "budget", "said"),
    [
        ([None], None, ""),
        ([None], 2.0, "? of $2.00"),
        ([0.5, None], 2.0, "$0.50+ of $2.00"),
        ([0.5, 0.25], None, "$0.75"),
        ([0.001], None, "<$0.01"),
        ([], 2.0, "$0.00 of $2.00"),
    ],
)
def test_costs_in_words(
    run_of: RunOf, costs: list[float | None], budget: float | None, said: str
) -> None:
    """What nobody told is a question mark or a plus sign, never a zero."""
    run = run_of(*(Row(f"r{number}", "x") for number in range(3)), budget_usd=budget)
    for position, cost in enumerate(costs):
        run.start(position)
        run.ok(position, tool="claude", cost_usd=cost)
    assert spent_words(run.board.spent(), run.board.budget_usd) == said
    ended = f"{len(costs)} ok · 0:00 (agent time 0:00)"
    assert run.end()[-1] == (f"{ended} · {said}" if said else ended)
    *_, shown = run_lines(run.record(), UNICODE)
    assert shown.plain == run.end()[-1]


def test_a_fallbacks_cost_counts_once(run_of: RunOf) -> None:
    """The plain LLM's answer adds its cost; of one that failed only the agent's attempts count."""
    run = run_of(Row("a", "x"), Row("b", "x"))
    for position in (0, 1):
        run.start(position)
        failed = SpawnResult(False, "", "exit 1", 1, execution_time=2, cost_usd=0.5)
        run.hear(position, AttemptFinished(1, 3, failed))
        run.hear(position, FallbackStarted("exit 1"))
    answer = SpawnResult(True, "plain", None, 0, fallback=True, execution_time=3, cost_usd=0.25)
    run.finish(0, result=answer)
    assert (run.board.rows[0].spent.usd, run.board.rows[0].agent_seconds) == (0.75, 5)


def test_what_was_kept_is_told_and_costs_nothing_again(run_of: RunOf) -> None:
    """An answer of an earlier run is marked in table, lines and totals; its cost is not ours."""
    run = run_of(Row("a", "x"))
    stream = plain(run)
    answer = SpawnResult(True, "well", None, 0, fallback=True, tool="claude", cost_usd=0.5)
    run.happens(
        SubgoalFinished(0, AgentOutput(0, "x", Outcome.OK, "well", None, answer, kept=True))
    )
    assert run.table()[2].endswith("kept: well")
    assert stream.getvalue() == "14:03:09         OK  a  kept\n"
    assert run.end() == ["1 ok (1 kept, 1 by fallback) · 0:00 (agent time 0:00)"]


def test_a_slow_row_is_told_and_comes_first(run_of: RunOf) -> None:
    """What takes far longer than the others did says so, and is not the one left out."""
    run = run_of(*(Row(f"r{number}", "x") for number in range(9)))
    for position in range(5):
        run.start(position)
        run.now += 10
        run.ok(position)
    run.start(5)
    run.now += 31
    for position in (6, 7):
        run.start(position)
    lines = run.table(height=5)
    assert lines[2].startswith("● r5")
    assert lines[2].endswith("0:31  slow:")
    assert lines[3].startswith("● r6")


def test_a_waiting_row_names_what_it_still_needs(run_of: RunOf) -> None:
    """What is done is no longer named; with nothing left, the row waits for a slot."""
    run = run_of(Row("a", "x"), Row("b", "x"), Row("c", "x", ("a", "b")))
    run.start(0)
    run.finish(0)
    assert run.table()[4].endswith("needs b")
    run.start(1)
    run.finish(1)
    assert run.table()[4].endswith("waits for a slot")


def test_a_progress_bar_is_one_clean_line(run_of: RunOf) -> None:
    """F10: of a line that was rewritten in place, the last state is shown."""
    run = run_of(Row("a", "x"))
    run.start(0)
    run.say(0, "10 %\r50 %\r90 %\r")
    assert run.table()[2].endswith("90 %")
    run.say(0, "   ")
    assert run.table()[2].endswith("90 %")


def test_a_retry_counts_down_to_its_attempt(run_of: RunOf) -> None:
    """The time until the next attempt shrinks with the clock, and the try counts up after it."""
    run = run_of(Row("a", "x"))
    run.start(0)
    run.hear(0, RetryScheduled(1, 2, 30.0, "exit 1"))
    run.now += 6
    assert run.table()[2].endswith("1/3   0:06  retry in 0:24: exit 1")
    run.hear(0, AttemptStarted(2, 3))
    assert "2/3" in run.table()[2]
    assert "retry" not in run.table()[2]


def test_a_fallback_is_told(run_of: RunOf) -> None:
    """A fallback shows why it came, then what it says, and is counted as such."""
    run = run_of(Row("a", "x"))
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
def test_no_text_breaks_out_of_the_table(
    run_of: RunOf, name: str, said: str, width: int, height: int
) -> None:
    """F9: whatever ids and agents say, the table keeps to its size and holds no control."""
    run = run_of(Row(name, said), Row("b", name, (name,)), Row("c", "x"))
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


def test_plain_lines(run_of: RunOf) -> None:
    """Each change is one line: time, verb to the right, subgoal, what happened."""
    run = run_of(Row("docs", "writer"), Row("tests", "tests"), Row("review", "x", ("tests",)))
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


def test_plain_lines_of_what_holds_others_up(run_of: RunOf) -> None:
    """Parked tools, circuits and the budget have lines of their own, with what comes next."""
    run = run_of(Row("a", "x"))
    stream = plain(run)
    run.happens(ToolParked("claude", 288.0, "429\nmore"))
    run.happens(ToolResumed("claude"))
    run.happens(CircuitChanged("coder", "open", 1, 120.0))
    run.happens(CircuitChanged("coder", "half_open", 1))
    run.happens(CircuitChanged("coder", "closed"))
    run.happens(BudgetWarned(9.6, 12.0, "USD"))
    run.happens(BudgetWarned(5000, 5000, "tokens"))
    run.start(0)
    run.hear(0, FallbackStarted("exit 1", "coder-b"))
    run.board.rows[0].log = ".aurora/runs/k3f9/a/1/stderr.log"
    run.finish(0, Outcome.FAILED, "exit 1", SpawnResult(False, "", "exit 1", 1, stderr="why"))
    assert [line.removeprefix("14:03:09") for line in stream.getvalue().splitlines()] == [
        "     PARKED  claude  429, resumes in 4:48",
        "    RESUMED  claude",
        "    CIRCUIT  coder  open (1 failure), probe in 2:00",
        "    CIRCUIT  coder  half open, a probe may run",
        "    CIRCUIT  coder  closed",
        "     BUDGET  $9.60 of $12.00 spent",
        "     BUDGET  5000 of 5000 tokens spent; nothing new starts",
        "      START  a  x",
        "   FALLBACK  a  to coder-b: exit 1",
        "       FAIL  a  1/3 0:00 exit 1",
        "                     why",
        "                     log: .aurora/runs/k3f9/a/1/stderr.log",
    ]


def test_a_failures_output_is_shown_by_its_end(run_of: RunOf) -> None:
    """Of a failed subgoal's output, the last twenty lines are shown."""
    run = run_of(Row("a", "x"))
    stream = plain(run)
    run.start(0)
    output = "\n".join(map(str, range(100)))
    run.finish(0, Outcome.FAILED, "exit 1", SpawnResult(False, output, "exit 1", 1))
    assert [line.strip() for line in stream.getvalue().splitlines()[2:]] == [
        str(number) for number in range(80, 100)
    ]


def test_a_heartbeat_after_a_minute_of_silence(run_of: RunOf) -> None:
    """A minute without a line brings one that names who is under way; then a minute's rest."""
    run = run_of(Row("a", "x"), Row("b", "x"))
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


def test_what_was_changed_stands_where_a_subgoal_has_ended(run_of: RunOf) -> None:
    """Table, lines and recap count the files that a subgoal changed in its worktree."""
    run = run_of(Row("one", "coder"), Row("two", "coder"), Row("none", "coder"))
    stream = io.StringIO()
    view = PlainView(run.board, Console(file=stream, width=200), UNICODE, lambda: run.now)
    run.saw = view.saw
    for position, files in enumerate((["a.py"], ["a.py", "b\x1b.py"], [])):
        run.start(position)
        run.say(position, "done")
        run.finish(position, files=files)
    assert [line.split("0:00  ")[-1] for line in run.table()[2:5]] == [
        "1 file changed: done",
        "2 files changed: done",
        "done",
    ]
    ends = [line.split(" 0:00")[1] for line in stream.getvalue().splitlines() if " OK " in line]
    assert ends == [" 1 file changed", " 2 files changed", ""]
    lines = [line.plain for line in run_lines(run.record(), UNICODE)]
    assert [line.split("0:00")[1].strip() for line in lines[:3]] == [
        "1 file changed",
        "2 files changed",
        "",
    ]
    shown = [line.plain for line in subgoal_lines(run.record()["subgoals"][1], UNICODE)]
    place = shown.index("  2 files changed in the branch b")
    assert shown[place + 1 : place + 3] == ["    a.py", r"    b\x1b.py"]


def test_the_summary(run_of: RunOf) -> None:
    """What has no answer is listed, causes first; the totals come last."""
    run = six(run_of)
    run.board.rows[3].log = ".aurora/runs/k3f9/lint/1/stderr.log"
    run.board.cut("ended by SIGINT", run.now)
    assert run.end() == [
        "FAIL     lint    1/3  0:11  exit 2: 3 problems",
        "         log: .aurora/runs/k3f9/lint/1/stderr.log",
        "BLOCKED  extra   0:39  Circuit breaker open: 2 failures",
        "CUT      api     1/3  0:39  ended by SIGINT",
        "CUT      docs    1/3  1:41  ended by SIGINT",
        "SKIP     verify  ended by SIGINT",
        "SKIP     notes   needs lint",
        "1 ok, 1 failed, 1 blocked, 2 unfinished, 2 skipped · 1:41 (agent time 0:22)",
    ]


@pytest.mark.parametrize(
    ("outcomes", "commands"),
    [
        ({"a": "ok", "b": "ok"}, []),
        ({}, []),
        (
            {"a": "ok", "b; rm": "failed", "c": "skipped"},
            ["aurora-soar show k3f9 'b; rm'", "aurora-soar resume k3f9"],
        ),
        ({"a": "skipped"}, ["aurora-soar show k3f9", "aurora-soar resume k3f9"]),
        (
            {"a\x1b[31m": "unfinished"},
            ["aurora-soar show k3f9 'a\\x1b[31m'", "aurora-soar resume k3f9"],
        ),
    ],
)
def test_what_comes_next(outcomes: dict[str, str], commands: list[str]) -> None:
    """A run that is not all well names two commands, with an id that a shell takes for one."""
    assert next_commands("k3f9", outcomes) == commands


def test_a_long_summary_is_cut(run_of: RunOf) -> None:
    """Of many failures twenty are listed; subgoals skipped for one reason are only counted."""
    run = run_of(*(Row(f"r{number}", "x") for number in range(50)))
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


def screen(size: tuple[int, int]) -> Console:
    width, height = size
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None
    )


def test_the_live_view_draws_in_place_and_clears_after_a_resize(run_of: RunOf) -> None:
    """Drawings replace each other; a new size clears the screen; the last state stays."""
    run = six(run_of)
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
def test_a_tiny_screen(run_of: RunOf, height: int) -> None:
    """On a screen of one or two lines the header and the footer are what is left."""
    lines = six(run_of).table(height=height)
    assert len(lines) <= height
    assert lines[0].startswith("aurora-soar")
