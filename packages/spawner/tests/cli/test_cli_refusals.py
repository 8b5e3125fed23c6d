"""What the command says when it cannot do what is asked: the cause, and the way out."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

# Put before the command: what the extra brings in is not there.
WITHOUT_EXTRA = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("typer", "click", "rich"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

# Put before the command: at the end, what it has imported of a list.
NAMES_IMPORTS = """
import atexit, sys
heavy = ("asyncio", "json", "rich", "sqlite3", "ssl", "aurora_spawner.tools")
atexit.register(lambda: print("heavy:", *(set(heavy) & {*sys.modules}), file=sys.stderr))
# The package's own face, which imports everything, is not looked at here.
import types
import importlib.util
package = types.ModuleType("aurora_spawner")
package.__path__ = importlib.util.find_spec("aurora_spawner").submodule_search_locations
sys.modules["aurora_spawner"] = package
"""


def test_without_its_extra_it_says_what_to_install(spawn: Command) -> None:
    """One line, exit 2, no traceback."""
    spawn.argv = (*spawn.argv[:3], WITHOUT_EXTRA + spawn.argv[3])
    ended = spawn("--help")
    assert ended.code == 2
    assert ended.err == (
        "aurora-spawn: typer is not installed; try: pip install 'aurora-spawner[cli]'\n"
    )


def test_help_teaches_and_imports_little(spawn: Command) -> None:
    """Three examples come first, exit codes and fields are told; asyncio and Rich are not there."""
    pytest.importorskip("typer")
    spawn.argv = (*spawn.argv[:3], NAMES_IMPORTS + spawn.argv[3])
    ended = spawn("--help")
    assert ended.code == 0
    usage, _, *examples = ended.out.decode().splitlines()
    assert usage == "Usage: aurora-spawn [OPTIONS] [TEMPLATE] [-- COMMAND...] [::: INPUT...]"
    assert all("aurora-spawn" in example for example in examples[:3])
    assert b"141 reader" in ended.out
    assert max(map(len, ended.out.decode().splitlines())) <= 80
    assert ended.err == "heavy:\n"


def test_a_terminal_without_input_is_told_what_to_do(spawn: Command) -> None:
    """Nobody sits before a silent program that waits for lines: exit 2 with examples."""
    pytest.importorskip("typer")
    ours, theirs = pty.openpty()
    try:
        process = spawn.start("Review {}", stdin=theirs)
        out, err = process.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(b"aurora-spawn: there is no input: write it behind ::: or pipe it in\n")


def test_without_an_agent_cli_nothing_starts(spawn: Command) -> None:
    """Exit 69: what was looked for, and how to try it without a model."""
    pytest.importorskip("typer")
    ended = spawn("Review {}", ":::", "a")
    assert (ended.code, ended.out) == (69, b"")
    assert "looked for claude, codex, gemini, opencode" in ended.err
    assert "--tool extract" in ended.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--tool", "codex", ":::", "a"], 69, '"codex" is not on PATH; install it (npm install'),
        (["--", "nosuch", ":::", "a"], 69, '"nosuch" is not on PATH'),
        (["--tool", "clade", ":::", "a"], 2, 'unknown tool "clade". Did you mean "claude"?'),
        (["--tool", "command", ":::", "a"], 2, "There are claude, codex, gemini"),
        (["--policy", "fastfail", ":::", "a"], 2, 'Did you mean "fast_fail"?'),
        (["--timeout", "soon", ":::", "a"], 2, '"soon" is no duration'),
        (["-j", "0", ":::", "a"], 2, "-j"),
        (["--jbos", "3"], 2, "--jobs"),
        (["--cwd", "none", ":::", "a"], 2, "there is no folder none; create it"),
        (["-a", "none"], 2, "cannot read none: No such file"),
        (["-a", "/"], 2, "/ is a folder"),
        (["-a", "none", ":::", "a"], 2, "not from both"),
        (["--"], 2, "-- names no program"),
        (["Review", "--", "cat"], 2, "which of them is meant?"),
        (["--model", "m", "--", "cat"], 2, "leave --tool and --model out"),
        (["-k", "-u", "--", "cat"], 2, "contradict"),
        (["--journal", "a", "--resume", "b", "--", "cat"], 2, "is enough"),
        (["--resume", "none", "--", "cat", ":::", "a"], 2, "journal none is not there"),
    ],
)
def test_a_wrong_word_is_named_with_the_way_out(
    spawn: Command, words: list[str], code: int, said: str
) -> None:
    """Usage is exit 2, a missing program 69; one message, nothing on standard output."""
    pytest.importorskip("typer")
    ended = spawn(*words)
    assert (ended.code, ended.out) == (code, b"")
    assert said in " ".join(ended.err.split())


def test_a_wrong_tool_in_the_environment_is_named_there(spawn: Command) -> None:
    """The message says which variable holds it."""
    pytest.importorskip("typer")
    spawn.env["AURORA_SPAWN_TOOL"] = "gemni"
    ended = spawn(":::", "a")
    assert ended.code == 2
    assert 'AURORA_SPAWN_TOOL: unknown tool "gemni". Did you mean "gemini"?' in ended.err


def test_a_tool_that_an_object_names_must_be_there(spawn: Command) -> None:
    """What a file's objects need is looked for before anything starts."""
    pytest.importorskip("typer")
    spawn.file("in", '{"prompt": "a", "tool": "codex"}\n{"command": ["nosuch"]}\n')
    ended = spawn("--jsonl", "-a", "in", "--tool", "extract")
    assert ended.code == 69
    assert '"codex" is not on PATH' in ended.err
    assert '"nosuch" is not on PATH' in ended.err


def test_a_dry_run_prints_calls_and_starts_nothing(spawn: Command) -> None:
    """-n: one line per input, as a shell would read it."""
    pytest.importorskip("typer")
    spawn.program("claude", "touch started")
    ended = spawn("-n", "--model", "m", "Review {}", ":::", "a b", "it's")
    assert ended.code == 0
    claude = (
        "claude -p --output-format stream-json --verbose --include-partial-messages "
        "--permission-mode=default --model=m <<< "
    )
    assert ended.out.decode().splitlines() == [
        f"{claude}'Review a b'",
        f"{claude}'Review it'\"'\"'s'",
    ]
    ended = spawn("-n", "--cwd", "/", "--", "wc", "{}", ":::", "a b")
    assert ended.out == b"cd / && wc 'a b'\n"
    assert not (spawn.folder / "started").exists()


def test_a_bug_of_ours_is_told_in_one_line(spawn: Command) -> None:
    """Exit 70, and the traceback is in a file."""
    pytest.importorskip("typer")
    broken = "import aurora_spawner.cli.run as r; r.result_line = None\n"
    spawn.argv = (*spawn.argv[:3], broken + spawn.argv[3])
    spawn.env["TMPDIR"] = str(spawn.folder)
    ended = spawn("--", "true", ":::", "a")
    assert ended.code == 70
    assert len(ended.err.splitlines()) == 1
    (log,) = spawn.folder.glob("aurora-spawn-*.log")
    assert "TypeError" in log.read_text()


def test_the_version_is_the_packages(spawn: Command) -> None:
    """--version names the distribution's version."""
    pytest.importorskip("typer")
    asked = "from importlib.metadata import version; print(version('aurora-spawner'))"
    known = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert spawn("--version").out == b"aurora-spawn " + known.stdout
