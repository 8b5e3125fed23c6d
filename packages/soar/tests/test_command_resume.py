"""What `aurora-soar resume` keeps, runs and refuses, and what it says of that before."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar.cli.app import app
from aurora_soar.cli.commands import resume as resume_module
from aurora_soar.cli.commands import run as run_module

if TYPE_CHECKING:
    Command = Any

# Each answers with the content of a file, so that a test decides what it is, and notes its start.
PLAN = """
    [agents.a]
    command = ["sh", "-c", "echo a >> began; cat a.txt"]
    [agents.b]
    command = ["sh", "-c", "echo b >> began; cat b.txt"]
    [agents.c]
    command = ["sh", "-c", "echo c >> began; cat c.txt"]
    [defaults]
    retries = 0
    [[subgoals]]
    id = "a"
    description = "first"
    [[subgoals]]
    id = "b"
    depends_on = ["a"]
    [[subgoals]]
    id = "c"
    depends_on = ["b"]
"""


@dataclass
class Runs:
    """A folder in which the command runs within this process: that saves a second each time.

    Only the ancestor that would survive our own death is left out; see `tests/faults` for that.
    """

    folder: Path
    capture: pytest.CaptureFixture[str]

    def plan(self, text: str) -> None:
        (self.folder / "plan.toml").write_text(dedent(text))

    def answers(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name}.txt").write_text(text)

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            app(arguments, prog_name="aurora-soar")
        out, err = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    def begin(self, plan: str = PLAN, **texts: str) -> None:
        """Run a plan for the first time; who has no text fails."""
        self.plan(plan)
        self.answers(**texts)
        self.command("run", "plan.toml", "-q")
        self.began()

    def began(self) -> str:
        """Who was run since, in order."""
        path = self.folder / "began"
        said = path.read_text().replace("\n", "") if path.exists() else ""
        path.write_text("")
        return said

    def said(self, *flags: str) -> list[str]:
        """What `resume -n` says, without the run's id; saying it starts and changes nothing."""
        before = (self.folder / "began").read_text()
        code, out, err = self.command("resume", "-n", *flags)
        assert (code, err) == (0, "")
        assert self.command("resume", "-n", *flags) == (code, out, err)
        assert (self.folder / "began").read_text() == before
        first, *rest = out.splitlines()
        return [first.split(": ")[1], *map(str.strip, rest)]

    def resumed(self, *flags: str) -> dict[str, str]:
        """Resume: the outcome of each subgoal, `kept` where it is an older one."""
        _, out, err = self.command("resume", "-q", "--json", *flags)
        assert out, err
        subgoals = json.loads(out)["subgoals"]
        return {each["id"]: "kept" if each["kept"] else each["outcome"] for each in subgoals}

    def program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\ncat > /dev/null\necho x >> began\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runs:
    """The command in an empty folder, with a home and a PATH of its own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "AURORA_SPAWN_TOOL"):
        monkeypatch.delenv(name, raising=False)
    for module in (run_module, resume_module):
        monkeypatch.setattr(module, "supervise", lambda: None)
    return Runs(tmp_path, capsys)


def test_nothing_is_run_where_all_is_finished(runs: Runs) -> None:
    """F54: everything that is finished is kept, however often it is resumed."""
    runs.begin(a="1", b="2", c="3")
    for _ in range(2):
        assert runs.said() == ["keeps 3, runs 0"]
        assert runs.resumed() == {"a": "kept", "b": "kept", "c": "kept"}
        assert runs.began() == ""


def test_what_failed_and_what_waited_for_it_runs(runs: Runs) -> None:
    """The prediction names who runs and why, and that is who runs."""
    runs.begin(a="1")
    assert runs.said() == [
        "keeps 1, runs 2",
        "b  failed: exit 1: cat: b.txt: No such file or directory",
        "c  after b",
    ]
    runs.answers(b="2", c="3")
    assert runs.resumed() == {"a": "kept", "b": "ok", "c": "ok"}
    assert runs.began() == "bc"


def test_only_what_failed(runs: Runs) -> None:
    """With --failed what was never started stays so, also the next time; nothing is lost."""
    runs.begin(a="1")
    runs.answers(b="2", c="3")
    b = "b  failed: exit 1: cat: b.txt: No such file or directory"
    assert runs.said("--failed") == ["keeps 1, runs 1", b]
    assert runs.resumed("--failed") == {"a": "kept", "b": "ok", "c": "skipped"}
    assert runs.said("--failed") == ["keeps 2, runs 0"]
    assert runs.resumed("--failed") == {"a": "kept", "b": "kept", "c": "skipped"}
    assert runs.began() == "b"
    assert runs.said() == ["keeps 2, runs 1", "c  never finished"]


def test_what_failed_runs_with_what_it_builds_on(runs: Runs) -> None:
    """With --failed, one that failed after another that failed runs too, in its turn."""
    plan = PLAN.replace('id = "b"', 'id = "b"\n    on_dependency_failure = "run"')
    runs.begin(plan, c="3")
    rows = [
        "a  failed: exit 1: cat: a.txt: No such file or directory",
        "b  after a",
    ]
    assert runs.said("--failed") == ["keeps 0, runs 2", *rows]
    runs.answers(a="1", b="2")
    assert runs.resumed("--failed") == {"a": "ok", "b": "ok", "c": "skipped"}
    assert runs.began() == "ab"


def test_only_one_and_what_it_needs(runs: Runs) -> None:
    """With --only the others do not run, and are kept if they are finished."""
    runs.begin()
    runs.answers(a="1", b="2", c="3")
    (first, *_) = runs.said("--only", "b")
    assert first == "keeps 0, runs 2"
    assert runs.resumed("--only", "b") == {"a": "ok", "b": "ok", "c": "skipped"}
    assert runs.began() == "ab"
    code, _, err = runs.command("resume", "--only", "bb")
    assert code == 2
    assert 'no subgoal is called "bb". Did you mean "b"?' in err


@pytest.mark.parametrize(
    ("answer", "then", "ran"),
    [("1", {"a": "ok", "b": "kept", "c": "kept"}, "a"), ("2", dict.fromkeys("abc", "ok"), "abc")],
)
def test_done_again_on_request(runs: Runs, answer: str, then: dict[str, str], ran: str) -> None:
    """With --redo a finished one runs; what builds on it runs if the answer is another one."""
    runs.begin(a="1", b="2", c="3")
    assert runs.said("--redo", "a") == [
        "keeps 0, runs 1, perhaps 2 more",
        "a  asked for",
        "b  if the answer of a changes",
        "c  if the answer of b changes",
    ]
    runs.answers(a=answer)
    if answer == "2":
        runs.answers(b="4")
    assert runs.resumed("--redo", "a") == then
    assert runs.began() == ran


def test_redo_and_only_add_up(runs: Runs) -> None:
    """What is to be done again runs whatever else was chosen."""
    runs.begin(a="1", b="2")
    runs.answers(c="3")
    (first, *_) = runs.said("--redo", "a", "--failed")
    assert first == "keeps 0, runs 2, perhaps 1 more"
    assert runs.resumed("--redo", "a", "--failed") == {"a": "ok", "b": "kept", "c": "ok"}
    assert runs.began() == "ac"


PERSONAS = """
    [agents.coder]
    description = "Writes."
    [[subgoals]]
    id = "web"
    agent = "coder"
    description = "Build it."
    retries = 0
"""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Build it.", "Build it well.", "prompt"),
        ("Writes.", "Writes briefly.", "persona"),
        ('agent = "coder"', 'agent = "other"', "agent, persona"),
        ('"Writes."', '"Writes."\n    tool = "llm"', "tool"),
        ('"Writes."', '"Writes."\n    model = "large"', "model"),
        ("retries = 0", 'retries = 0\n    check = ["true"]', "check"),
    ],
)
def test_f59_what_has_changed_runs_again_and_is_named(
    runs: Runs, old: str, new: str, named: str
) -> None:
    """F59: a changed prompt, agent, persona, tool, model or check is named, and is run again."""
    result = '{"type":"result","subtype":"success","is_error":false,"result":"x"}'
    runs.program("claude", f"echo '{result}'")
    runs.program("llm", 'echo \'[{"response": "x"}]\'')
    runs.begin(PERSONAS)
    assert runs.said() == ["keeps 1, runs 0"]
    runs.plan(PERSONAS.replace(old, new))
    assert runs.said() == ["keeps 0, runs 1", f"web  changed: {named}"]
    assert runs.resumed() == {"web": "ok"}
    assert runs.began() == "x"
    # What it was before is known as well.
    runs.plan(PERSONAS)
    assert runs.said() == ["keeps 1, runs 0"]


def test_f59_another_adhoc_agent(runs: Runs) -> None:
    """F59: of two adhoc agents neither is taken for the other, though neither is registered."""
    plan = PERSONAS.replace('"coder"', '"poet"')
    runs.program("claude", """echo '{"type":"result","is_error":false,"result":"x"}'""")
    runs.begin(plan)
    assert runs.said() == ["keeps 1, runs 0"]
    runs.plan(plan.replace('"poet"', '"critic"'))
    assert runs.said() == ["keeps 0, runs 1", "web  changed: agent"]


def test_f59_another_answer_of_what_it_needs(runs: Runs) -> None:
    """F59: with a changed dependency, what builds on it runs again; a new one is named."""
    runs.begin(a="1", b="2", c="3")
    runs.plan(PLAN.replace('"first"', '"once more"'))
    assert runs.said() == [
        "keeps 0, runs 1, perhaps 2 more",
        "a  changed: prompt",
        "b  if the answer of a changes",
        "c  if the answer of b changes",
    ]
    runs.plan(PLAN.replace('depends_on = ["b"]', 'depends_on = ["b", "a"]'))
    assert runs.said() == ["keeps 2, runs 1", "c  changed: result of a"]
    assert runs.resumed() == {"a": "kept", "b": "kept", "c": "ok"}


def journal_of(runs: Runs) -> Path:
    (path,) = (runs.folder / ".aurora/runs").glob("*/journal.db")
    return path


def damage(path: Path) -> None:
    """Flip a bit of a kept answer."""
    data = bytearray(path.read_bytes())
    place = data.rindex(b'"output": "kept words')
    data[place + 12] ^= 1
    path.write_bytes(data)


def age(path: Path) -> None:
    """Make it the journal of a newer version."""
    connection = sqlite3.connect(path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.close()


def link(path: Path) -> None:
    """Put a symbolic link in its place."""
    path.rename(path.with_name("elsewhere.db"))
    path.symlink_to("elsewhere.db")


@pytest.mark.parametrize(
    ("harm", "told"), [(damage, "damaged"), (age, "knows versions up to"), (link, "symbolic link")]
)
def test_a_journal_that_cannot_be_trusted_is_refused(runs: Runs, harm: Any, told: str) -> None:
    """F56, F60: damaged, newer or symlinked: one line says so, exit 2, and nothing is run."""
    runs.begin(a="kept words", b="2")
    harm(journal_of(runs))
    for flags in ((), ("-n",)):
        code, out, err = runs.command("resume", *flags)
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert line.startswith("aurora-soar: ")
        assert told in line
        assert "journal.db" in line
    assert runs.began() == ""


def test_f57_a_run_that_goes_on_is_not_resumed(soar: Command, alive: Any) -> None:
    """F57: while a run goes on, resuming it is refused by the name of its process."""
    plan = """
        [agents.slow]
        command = ["sh", "-c", "echo $PPID >> began; read line < gate; echo done"]
        [[subgoals]]
        id = "slow"
    """
    os.mkfifo(soar.folder / "gate")
    going = soar.start("run", soar.plan(plan), "-q")
    worker = soar.wait_for_file("began").strip()
    ended = soar.run("resume")
    assert ended.code == 2
    assert f"in use by process {worker};" in ended.err
    (soar.folder / "gate").write_text("go\n")
    assert going.wait(60) == 0
    assert not alive(int(worker))
    ended = soar.run("resume", "-q", "--json")
    (subgoal,) = json.loads(ended.out)["subgoals"]
    assert (subgoal["outcome"], subgoal["kept"]) == ("ok", True)


def test_a_run_that_is_unknown(runs: Runs) -> None:
    """A run that is not there is exit 2 and the names of those that are."""
    code, _, err = runs.command("resume")
    assert code == 2
    assert "no run is kept in .aurora/runs" in err
    runs.begin(a="1")
    code, _, err = runs.command("resume", "0000")
    assert code == 2
    assert 'no run begins with "0000". The latest: ' in err


def test_f55_a_run_that_was_killed_while_it_was_written_down(runs: Runs) -> None:
    """F55: what the run was asked for is there as a whole or not at all."""
    runs.begin(a="1", b="2", c="3")
    (request,) = (runs.folder / ".aurora/runs").glob("*/run.json")
    (request.parent / ".run.json").write_text(request.read_text()[:20])
    assert runs.resumed() == {"a": "kept", "b": "kept", "c": "kept"}
    request.rename(request.with_name(".run.json"))
    assert "no run is kept" in runs.command("resume")[2]
