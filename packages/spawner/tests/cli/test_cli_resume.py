"""Resuming: what is kept, what runs again, what is said of it."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("typer")

if TYPE_CHECKING:
    Command = Any

# Notes that it ran; fails as long as there is a file of its name.
WORK = ("--", "sh", "-c", "echo {} >> ran; test ! -e fail-{} && echo did {}")


def ran(spawn: Command) -> list[str]:
    """Who has run since this was last asked."""
    path = spawn.folder / "ran"
    names = sorted(path.read_text().split()) if path.exists() else []
    path.write_text("")
    return names


def test_resume_runs_what_is_missing_and_prints_everything(spawn: Command) -> None:
    """F54: kept results come from the journal, in their place, and say so."""
    spawn("--journal", "j", *WORK, ":::", "a", "b")
    assert ran(spawn) == ["a", "b"]
    ended = spawn("--resume", "j", *WORK, ":::", "a", "b", "c")
    assert ended.code == 0
    assert ran(spawn) == ["c"]
    assert ended.column("output") == ["did a\n", "did b\n", "did c\n"]
    assert ended.column("kept") == [True, True, False]
    assert "resume: 2 kept, 1 to run\n" in ended.err
    assert "3 ok (2 kept)" in ended.err


def test_a_failure_is_kept_unless_it_is_to_run_again(spawn: Command) -> None:
    """--resume keeps failures, --resume-failed runs them; the summary's advice is the latter."""
    spawn.file("fail-b", "")
    ended = spawn("--journal", "j", *WORK, ":::", "a", "b")
    assert ended.code == 1
    assert "Go on with: aurora-spawn --resume-failed j -- sh -c" in ended.err
    ran(spawn)
    assert spawn("--resume", "j", *WORK, ":::", "a", "b").code == 1
    assert ran(spawn) == []
    (spawn.folder / "fail-b").unlink()
    assert spawn("--resume-failed", "j", *WORK, ":::", "a", "b").code == 0
    assert ran(spawn) == ["b"]


def test_what_changed_runs_again_and_is_named(spawn: Command) -> None:
    """F59: another prompt under the same id is another question."""
    spawn.file("in", '{"id": "x", "prompt": "a"}\n{"id": "y", "prompt": "b"}\n')
    work = ("--jsonl", "-a", "in", "--tool", "extract")
    spawn("--journal", "j", *work)
    spawn.file("in", '{"id": "x", "prompt": "other"}\n{"id": "y", "prompt": "b"}\n')
    ended = spawn("--resume", "j", *work)
    assert ended.column("kept") == [False, True]
    assert "#0 x runs again: prompt changed" in ended.err
    assert "resume: 1 kept, 1 to run, 1 of them changed" in ended.err


def test_a_line_put_in_front_moves_the_others(spawn: Command) -> None:
    """F59: what only moved is not run again."""
    spawn("--journal", "j", *WORK, given="a\nb\n")
    ran(spawn)
    ended = spawn("--resume", "j", *WORK, given="new\na\nb\n")
    assert ran(spawn) == ["new"]
    assert ended.column("output") == ["did new\n", "did a\n", "did b\n"]


def test_a_stream_is_resumed_as_it_comes(spawn: Command) -> None:
    """Nobody can foretell a stream: the summary tells what was kept."""
    spawn("--journal", "j", *WORK, given="a\nb\n")
    ran(spawn)
    ended = spawn("--resume", "j", *WORK, given="a\nc\n")
    assert ran(spawn) == ["c"]
    assert "#1 c runs again: command changed" in ended.err
    assert "2 ok (1 kept)" in ended.err


def test_a_dry_run_of_a_resumption_prints_what_it_lacks(spawn: Command) -> None:
    """-n with --resume: only what would run."""
    spawn("--journal", "j", "--", "echo", "{}", ":::", "a")
    ended = spawn("-n", "--resume", "j", "--", "echo", "{}", ":::", "a", "b")
    assert ended.out == b"echo b\n"


def test_a_journal_is_not_begun_twice(spawn: Command) -> None:
    """A second --journal could only be a mistake: exit 2, and the way to go on."""
    spawn("--journal", "j", *WORK, ":::", "a")
    ended = spawn("--journal", "j", *WORK, ":::", "a")
    assert (ended.code, ended.out) == (2, b"")
    assert "journal j is there already; go on with --resume j" in ended.err


def test_two_runs_do_not_share_a_journal(spawn: Command) -> None:
    """F57: the second one is refused, and told by whom."""
    process = spawn.start(
        "--journal", "j", "--", "sh", "-c", "echo $$ > pid; exec sleep 60", ":::", "a"
    )
    spawn.wait_for("pid")
    ended = spawn("--resume", "j", *WORK, ":::", "a")
    assert (ended.code, ended.out) == (2, b"")
    assert "is in use by process" in ended.err
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143


def test_a_damaged_or_foreign_journal_is_refused(spawn: Command) -> None:
    """F56, F60: what is no journal, or a link to one, is not touched."""
    spawn.file("text", "my notes\n")
    spawn("--journal", "j", *WORK, ":::", "a")
    (spawn.folder / "link").symlink_to("j")
    ran(spawn)
    for name, said in (("text", "is a file, but no journal"), ("link", "a symbolic link")):
        ended = spawn("--resume", name, *WORK, ":::", "a")
        assert (ended.code, ended.out) == (2, b"")
        assert said in ended.err
    assert ran(spawn) == []
    assert (spawn.folder / "text").read_text() == "my notes\n"


def test_a_killed_run_is_gone_on_with(spawn: Command) -> None:
    """F26, F54: after kill -9 what had been printed is kept, and only the rest runs."""
    script = "echo {} >> ran; test {} != c || test -e go || exec sleep 60"
    work = ("-j", "1", "--", "sh", "-c", script, ":::", "a", "b", "c", "d")
    process = spawn.start("--journal", "j", *work)
    told = [json.loads(process.stdout.readline())["input"] for _ in range(2)]
    assert told == ["a", "b"]
    os.kill(process.pid, signal.SIGKILL)
    # Until everybody who could write to it is gone.
    process.stdout.read()
    assert ran(spawn) in (["a", "b"], ["a", "b", "c"])
    spawn.file("go", "")
    ended = spawn("--resume", "j", *work)
    assert ended.column("kept") == [True, True, False, False]
    assert ran(spawn) == ["c", "d"]
