"""`aurora-soar show`: a run looked at afterwards, and along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

# One that is well, one that fails twice in its own words, one that needs that.
PLAN = r"""
    name = "three"
    defaults = { retries = 1 }
    [agents.good]
    command = ["echo", "all is well"]
    [agents.bad]
    command = ["sh", "-c", "printf 'half \\033[31mred\\n'; echo broken >&2; exit 3"]
    [[subgoals]]
    id = "good"
    [[subgoals]]
    id = "bad"
    [[subgoals]]
    id = "after"
    agent = "good"
    depends_on = ["bad"]
"""


@pytest.fixture(scope="module")
def ran(command_in: Any, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command in a folder in which the plan has run; tests only look at it."""
    soar = command_in(tmp_path_factory.mktemp("ran"))
    soar.id = soar.results(soar.plan(PLAN))[1]["run"]
    return soar


def test_the_latest_run(ran: Command) -> None:
    """Without an id it is the latest run: each subgoal, the totals, and what to do next."""
    ended = ran.run("show")
    assert (ended.code, ended.err) == (0, "")
    head, *rows, totals, further = ended.out.splitlines()
    assert head.startswith(f"run {ran.id}  three  ")
    assert [row.split()[:3] for row in rows] == [
        ["OK", "good", "good"],
        ["FAIL", "bad", "bad"],
        ["SKIP", "after", "good"],
    ]
    assert "exit 3: broken" in rows[1]
    assert totals.startswith("1 ok, 1 failed, 1 skipped · ")
    assert further == f"Next: aurora-soar show {ran.id} bad · aurora-soar resume {ran.id}"


def test_a_subgoal(ran: Command) -> None:
    """A subgoal shows its attempts, the way to their logs, and what it said, made safe (F9)."""
    ended = ran.run("show", ran.id[:3], "bad")
    lines = ended.out.splitlines()
    assert lines[0] == "FAIL     bad  by bad  exit 3: broken"
    attempts = [line.split()[:4] for line in lines if line.startswith("  attempt")]
    assert attempts == [["attempt", "1", "bad", "failed"], ["attempt", "2", "bad", "failed"]]
    assert f"    log: .aurora/runs/{ran.id}/bad/2/stderr.log" in lines
    assert lines[-1] == r"half \x1b[31mred"


def test_one_name_may_be_a_subgoal(ran: Command) -> None:
    """A name that no run has is that of a subgoal of the latest run."""
    assert ran.run("show", "good").out.splitlines()[-1] == "all is well"


def test_a_log(ran: Command) -> None:
    """`--log` prints both outputs of the last attempt, made safe (F9)."""
    ended = ran.run("show", ran.id, "bad", "--log")
    assert ended.out == "half \\x1b[31mred\n--- standard error\nbroken\n"


def test_for_programs(ran: Command) -> None:
    """`--json` gives the results, or a subgoal's part of them."""
    results = json.loads(ran.run("show", "--json").out)
    assert results == json.loads((ran.folder / f".aurora/runs/{ran.id}/results.json").read_text())
    assert json.loads(ran.run("show", ran.id, "good", "--json").out) == results["subgoals"][0]


def test_a_page_long_after(ran: Command) -> None:
    """`--html` makes the page of a run from what was kept of it."""
    assert ran.run("show", "--html", "page.html").code == 0
    assert "all is well" in (ran.folder / "page.html").read_text()


def test_the_events_of_a_run_that_is_over(ran: Command) -> None:
    """`--follow` of a run that is over tells it from the beginning, and ends as the run did."""
    ended = ran.run("show", "--follow")
    assert ended.code == 1
    verbs = [line.split()[1:3] for line in ended.out.splitlines()]
    assert ["START", "good"] in verbs
    assert ["RETRY", "bad"] in verbs
    assert ["FAIL", "bad"] in verbs
    assert ["SKIP", "after"] in verbs
    assert verbs[-1][0] == "END"
    events = [json.loads(line) for line in ran.run("show", "-f", "--json").out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_a_run_that_goes_on(soar: Command) -> None:
    """A run can be followed from another terminal, from its beginning to its end, and only its
    end has results to show."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sh", "-c", "while [ ! -e go ]; do sleep 0.1; done; echo gone"]
        [[subgoals]]
        id = "slow"
        """
    )
    running = soar.start("run", plan, "-q")
    soar.wait_for(lambda: list(soar.folder.glob(".aurora/runs/*/events.jsonl")))
    early = soar.run("show")
    assert early.code == 2
    assert "goes on; look along: aurora-soar show" in early.err
    following = soar.start("show", "--follow")
    (soar.folder / "go").touch()
    assert running.wait(60) == 0
    out, _ = following.communicate(timeout=60)
    assert [line.split()[1] for line in out.decode().splitlines()] == ["START", "OK", "END"]
    assert following.returncode == 0


def test_a_run_that_was_killed(soar: Command) -> None:
    """F54: who looks at a run that was killed is told so, and how to go on."""
    plan = soar.plan(
        """
        [agents.slow]
        command = ["sleep", "1000"]
        [[subgoals]]
        id = "slow"
        """
    )
    running = soar.start("run", plan, "-q")
    soar.wait_for(
        lambda: (
            "attempt.started"
            in "".join(path.read_text() for path in soar.folder.glob(".aurora/runs/*/events.jsonl"))
        )
    )
    running.kill()
    running.communicate()
    soar.wait_for(lambda: "goes on" not in soar.run("show").err)
    shown = soar.run("show")
    assert shown.code == 2
    assert "was ended before its results were written" in shown.err
    followed = soar.run("show", "--follow")
    assert followed.code == 1
    assert "was killed. What is finished is kept: aurora-soar resume" in followed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], 'no run begins with "nowhere"'),
        (["", "bda"], 'has no subgoal "bda". Did you mean "bad"?'),
        (["--log"], "--log is about one subgoal"),
        (["", "after", "--log"], '"after" was not attempted in this run'),
        (["--log", "--diff"], "choose one"),
        (["--diff"], "this is no git repository"),
    ],
)
def test_what_cannot_be_shown(ran: Command, arguments: list[str], words: str) -> None:
    """What is not there is an error of use that says what is."""
    ended = ran.run("show", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_without_any_run(soar: Command) -> None:
    """Where nothing has run, the way to a first run is told."""
    ended = soar.run("show")
    assert ended.code == 2
    assert "a plan is run by: aurora-soar run PLAN" in ended.err


def test_a_mistyped_run_is_guessed(ran: Command) -> None:
    """A run whose id is almost right is named, for whoever copied it by hand."""
    ended = ran.run("show", f"{ran.id[:3]}_", "good")
    assert (ended.code, ended.out) == (2, "")
    assert f'no run begins with "{ran.id[:3]}_". Did you mean "{ran.id}"?' in ended.err
