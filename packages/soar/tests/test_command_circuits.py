"""Circuits that one run leaves to the next, and the command that shows and changes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

FAILING = """
    [agents.bad]
    tool = "claude"
    [[subgoals]]
    id = "a"
    agent = "bad"
    description = "Fail."
    retries = 1
"""


@pytest.fixture
def soar(soar: Command) -> Command:
    """With an agent CLI that fails."""
    soar.program("claude", "exit 3")
    return soar


def outcome(soar: Command, *arguments: str, **options: Any) -> tuple[str, str | None]:
    _, results = soar.results(*arguments, "-q", "--no-fallback", **options)
    (subgoal,) = results["subgoals"]
    return subgoal["outcome"], subgoal["error"]


def test_a_second_run_knows_what_the_first_one_learned(soar: Command) -> None:
    """An agent that failed twice is not asked again by the next run, and the way out is told."""
    plan = soar.plan(FAILING)
    assert outcome(soar, plan)[0] == "failed"
    ended = soar.run("run", plan, "--no-fallback")
    assert ended.code == 1
    assert "Circuit breaker open: Circuit open: 2 failures" in ended.err
    assert "aurora-soar circuits reset" in ended.err


def test_a_program_begins_every_run_anew(soar: Command) -> None:
    """A program that failed twice is run again by the next run, and nothing of it is listed."""
    plan = soar.plan(FAILING.replace('tool = "claude"', 'command = ["sh", "-c", "exit 3"]'))
    for _ in range(2):
        assert outcome(soar, plan) == ("failed", "exit 3")
    assert soar.run("circuits").out == f"no agent is known to fail in {soar.folder}\n"


def test_without_shared_circuits_every_run_begins_anew(soar: Command) -> None:
    """With the flag, or the setting, a run neither learns from others nor leaves anything."""
    plan = soar.plan(FAILING)
    assert outcome(soar, plan, "--no-shared-circuits")[0] == "failed"
    assert not (soar.folder / ".local").exists()
    assert outcome(soar, plan)[0] == "failed"
    assert outcome(soar, plan, env={"AURORA_SHARED_CIRCUITS": "no"})[0] == "failed"
    assert outcome(soar, plan)[0] == "blocked"


def test_whoever_resumes_wants_another_try(soar: Command) -> None:
    """F54: what failed is asked again by resume, although its circuit is open."""
    assert outcome(soar, soar.plan(FAILING))[0] == "failed"
    ended = soar.run("resume", "-q", "--json")
    (subgoal,) = json.loads(ended.out)["subgoals"]
    assert subgoal["outcome"] == "failed"
    assert soar.run("circuits", "isolate", "bad").code == 0
    ended = soar.run("resume", "-q", "--json")
    (subgoal,) = json.loads(ended.out)["subgoals"]
    assert subgoal["outcome"] == "blocked"


def test_circuits_are_listed_and_reset(soar: Command) -> None:
    """The list has agent, state, failures and the next probe; after a reset it is empty."""
    empty = soar.run("circuits")
    assert (empty.code, empty.out) == (0, f"no agent is known to fail in {soar.folder}\n")
    outcome(soar, soar.plan(FAILING))
    head, row = soar.run("circuits").out.splitlines()
    assert head.split() == ["AGENT", "STATE", "FAILURES", "NEXT", "PROBE", "PROJECT"]
    assert row.split()[:4] == ["bad", "open", "2", "in"]
    (data,) = json.loads(soar.run("circuits", "--json").out)["circuits"]
    assert (data["agent"], data["state"], data["failures"]) == ("bad", "open", 2)
    assert data["project"] == str(soar.folder)
    assert 0 < data["next_probe_seconds"] <= 120
    assert data["failure_types"] == ["crash", "crash"]
    wrong = soar.run("circuits", "reset", "bda")
    assert wrong.code == 2
    assert 'nothing is known of an agent "bda" here. Did you mean "bad"?' in wrong.err
    assert soar.run("circuits", "reset", "bad").out == "1 circuit reset\n"
    assert soar.run("circuits", "reset").out == "0 circuits reset\n"
    assert outcome(soar, "plan.toml")[0] == "failed"


def test_another_projects_agent_is_untouched(soar: Command) -> None:
    """An agent of the same name in another folder is asked; `--all` lists both."""
    outcome(soar, soar.plan(FAILING))
    other = soar.folder / "other"
    other.mkdir()
    assert outcome(soar, "../plan.toml", cwd=other)[0] == "failed"
    assert len(soar.run("circuits").out.splitlines()) == 2
    assert len(soar.run("circuits", "--all").out.splitlines()) == 3


def test_an_isolated_agent_is_left_out_until_that_is_undone(soar: Command) -> None:
    """Isolated, an agent without any failure is not asked; undone, it is."""
    plan = soar.plan(FAILING.replace('tool = "claude"', 'command = ["echo", "well"]'))
    said = soar.run("circuits", "isolate", "bad")
    assert said.out == (
        "bad is left out; let it run again: aurora-soar circuits isolate bad --undo\n"
    )
    assert soar.run("circuits").out.splitlines()[1].split()[:4] == ["bad", "isolated", "-", "-"]
    assert outcome(soar, plan)[0] == "blocked"
    assert soar.run("circuits", "isolate", "bad", "--undo").code == 0
    assert outcome(soar, plan)[0] == "ok"
    assert soar.run("circuits", "isolate", "bad", "--undo").code == 2


def test_f52_a_state_folder_that_cannot_be_used_is_told_once(soar: Command) -> None:
    """F52: the run goes on with what it sees itself; the command that asks for it says why not."""
    (soar.folder / "file").touch()
    env = {"XDG_STATE_HOME": str(soar.folder / "file")}
    ended = soar.run("run", soar.plan(FAILING), "--no-fallback", env=env)
    assert ended.code == 1
    assert ended.err.count("The store is down") == 1
    ended = soar.run("circuits", "isolate", "bad", env=env)
    assert ended.code == 74
    assert ended.err.startswith("aurora-soar: the circuits cannot be used: ")
