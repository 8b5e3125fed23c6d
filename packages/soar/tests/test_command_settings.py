"""`aurora-soar config`, settings that decide a run, completion, and what tells that it is over."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from aurora_soar.cli.notice import notice_of, terminal_notice

if TYPE_CHECKING:
    Command = Any

ONE = """
    name = "one"
    [agents.say]
    command = ["echo", "well"]
    [[subgoals]]
    id = "a"
    agent = "say"
"""

THREE = """
    limits = { max_concurrent = 2 }
    [agents.say]
    command = ["echo", "well"]
    [[subgoals]]
    id = "first"
    agent = "say"
    [[subgoals]]
    id = "second"
    agent = "say"
    timeout = "1m"
    [[subgoals]]
    id = "further"
    agent = "say"
"""


def test_each_value_with_its_origin(soar: Command) -> None:
    """Every setting is one line: name, value, where that comes from."""
    (soar.folder / "aurora.toml").write_text("# ours\njobs = 3\n")
    ended = soar.run("config", env={"AURORA_TIMEOUT": "1m"})
    lines = [line.split() for line in ended.out.splitlines()]
    assert ended.code == 0
    assert ["jobs", "3", "aurora.toml:2"] in lines
    assert ["timeout", "60", "AURORA_TIMEOUT"] in lines
    assert ["retries", "-", "default"] in lines
    assert ended.out.endswith("/.config/aurora/config.toml\n")


def test_settings_as_data(soar: Command) -> None:
    """`--json` has value, origin, file and line, default and help of every setting."""
    (soar.folder / "aurora.toml").write_text("jobs = 3\n")
    data = json.loads(soar.run("config", "--json").out)
    assert data["v"] == 1
    (jobs,) = [each for each in data["settings"] if each["name"] == "jobs"]
    assert (jobs["value"], jobs["kind"], jobs["line"], jobs["default"]) == (3, "project", 1, None)
    assert jobs["file"] == str(soar.folder / "aurora.toml")
    assert jobs["variables"] == ["AURORA_JOBS"]


def test_wrong_settings_end_every_command(soar: Command) -> None:
    """A file that is wrong is exit 2 before anything starts, with line and guess."""
    (soar.folder / "aurora.toml").write_text("\njob = 3\n")
    for arguments in (["config"], ["run", soar.plan(ONE)], ["check", "plan.toml"]):
        ended = soar.run(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == 'aurora.toml:2: unknown setting "job". Did you mean "jobs"?\n'


def test_files_are_for_where_the_plan_says_nothing(soar: Command) -> None:
    """A plan's own limits win over files; variables and flags win over the plan."""
    (soar.folder / "aurora.toml").write_text('jobs = 7\ntimeout = "2m"\nretries = 0\n')
    plan = soar.plan(THREE)

    def said(*flags: str, **env: str) -> str:
        return str(soar.run("check", plan, *flags, env=env).out)

    assert "at most 2 at once" in said()
    assert "at most 4 at once" in said(AURORA_JOBS="4")
    assert "at most 5 at once" in said("-j", "5", AURORA_JOBS="4")
    assert said().count("1 attempt of 2:00") == 2
    assert said().count("1 attempt of 1:00") == 1
    assert said(AURORA_TIMEOUT="3m").count("1 attempt of 3:00") == 3
    assert "at most 7 at once" in soar.run("check", soar.plan(ONE, "one.toml")).out


def test_a_setting_reaches_the_agents_environment(soar: Command) -> None:
    """F69: `env = "minimal"` of the user's own file holds for agents that say nothing."""
    own = soar.folder / ".config" / "aurora"
    own.mkdir(parents=True)
    (own / "config.toml").write_text('env = "minimal"\npass_env = ["B"]\n')
    plan = soar.plan("""
        [agents.say]
        command = ["sh", "-c", "echo ${A:-none} ${B:-none}"]
        [[subgoals]]
        id = "a"
        agent = "say"
    """)
    _, results = soar.results(plan, env={"A": "a", "B": "b"})
    assert results["subgoals"][0]["output"] == "none b\n"


def test_f71_an_untrusted_project_is_told_and_goes_on(soar: Command) -> None:
    """F71: what needs trust is named on standard error, and the rest of the file is used."""
    (soar.folder / "aurora.toml").write_text('html = "/tmp/x.html"\njobs = 1\n')
    ended = soar.run("check", soar.plan(ONE))
    assert ended.code == 0
    assert ended.err.startswith('aurora.toml:1: "html" is not used until you trust the file')
    assert "at most 1 at once" in ended.out


def test_the_schema_is_printed(soar: Command) -> None:
    """`config schema` prints a schema that is one."""
    Draft202012Validator.check_schema(json.loads(soar.run("config", "schema").out))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("resume ", ["RUN"]),
        ("resume --redo f", ["first", "further"]),
        ("apply RUN s", ["second"]),
        ("run plan.toml --only fu", ["further"]),
        ("circuits reset ", []),
    ],
)
def test_completion_knows_names(soar: Command, words: str, offered: list[str]) -> None:
    """A shell is offered ids of runs and of subgoals, those of the run or plan named before."""
    _, results = soar.results(soar.plan(THREE), "-q")
    line = f"aurora-soar {words.replace('RUN', results['run'])}"
    ended = soar.run(
        env={
            "_AURORA_SOAR_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
        }
    )
    assert ended.out.split() == [each.replace("RUN", results["run"]) for each in offered]


def test_the_users_own_program_tells_that_a_run_is_over(soar: Command) -> None:
    """`--notify` calls the command of the user's file with title and text, whatever the outcome."""
    own = soar.folder / ".config" / "aurora"
    own.mkdir(parents=True)
    soar.program("tell", 'printf "%s|" "$@" > told')
    (own / "config.toml").write_text('notify_command = ["tell", "--loud"]\n')
    assert soar.run("run", soar.plan(ONE), "--notify", "-q").code == 0
    told = (soar.folder / "told").read_text()
    assert told == "--loud|aurora-soar one|every subgoal has an answer, after 0:00|"
    (soar.folder / "told").unlink()
    (own / "config.toml").write_text('notify = true\nnotify_command = ["tell"]\n')
    assert soar.run("run", "plan.toml", "-q").code == 0
    # As a setting it is for runs that take a while.
    assert not (soar.folder / "told").exists()


def test_a_program_that_cannot_tell_changes_no_exit_code(soar: Command) -> None:
    """Where nobody can be told, that is said, and the run ends as it did."""
    own = soar.folder / ".config" / "aurora"
    own.mkdir(parents=True)
    (own / "config.toml").write_text('notify_command = ["no-such-program"]\n')
    ended = soar.run("run", soar.plan(ONE), "--notify", "-q")
    assert ended.code == 0
    assert ended.err.startswith("nobody could be told: ")


def test_a_terminal_gets_the_bell(soar: Command) -> None:
    """On a terminal without notifications the bell rings at the end; in a pipe nothing does."""
    plan = soar.plan(ONE)
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = soar.start("run", plan, "--notify", "-q", stderr=its, stdout=subprocess.DEVNULL)
        os.close(its)
        assert process.wait(60) == 0
        assert terminal.read(100).endswith(b"\a")
    assert soar.run("run", plan, "--notify", "-q").err == ""


def test_notices_for_terminals() -> None:
    """Each terminal gets what it knows; what is hostile in a name controls none of them."""
    title, text = notice_of("a\x1b]0;x\a;b", 1, 61.0)
    assert "\x1b" not in title
    assert "\a" not in title
    assert text == "some subgoals have no answer, after 1:01"
    assert terminal_notice("t", "x", {"TERM_PROGRAM": "WezTerm"}) == "\033]9;t: x\a"
    assert terminal_notice("t;u", "x", {"TERM": "foot"}) == "\033]777;notify;t,u;x\a"
    assert terminal_notice("t", "x", {"TERM": "foot", "TMUX": "1"}) == "\a"
    assert terminal_notice("t", "x", {"TERM": "xterm"}) == "\a"
    assert notice_of("x", 130, 1.0)[1] == "ended with exit code 130, after 0:01"


def test_places_are_not_asked_for_without_need(soar: Command, tmp_path: Path) -> None:
    """A plan of programs alone makes no worktree, in a repository or not."""
    assert soar.run("run", soar.plan(ONE), "-q").code == 0
    assert not (tmp_path / ".aurora" / "worktrees").exists()
