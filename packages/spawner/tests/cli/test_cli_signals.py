"""Signals and terminals: what Ctrl-C, Ctrl-Z, TERM and HUP make of a run."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("typer")

if TYPE_CHECKING:
    Command = Any

# A shell script that says its process id, and is at work as long as its file is there.
WORK = "echo $$ > {}.pid; while test -e {}.pid; do sleep 0.05; done"
DEAF = "trap '' TERM; echo $$ > {}.pid; while test -e {}.pid; do sleep 0.05; done"

# Put before the command: Ctrl-C comes while it is still being imported.
INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "PLACE":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


def wait_for_words(process: subprocess.Popen[bytes], words: str) -> None:
    """Read standard error up to a line with these words."""
    for line in process.stderr or ():
        if words in line.decode():
            return
    pytest.fail(f"it never said {words!r}")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "ZX"
    return True


def test_ctrl_c_once_lets_agents_finish(spawn: Command) -> None:
    """F28: after one Ctrl-C what runs may finish, nothing new starts; summary, exit 130."""
    process = spawn.start("-j", "2", "--", "sh", "-c", WORK, ":::", "a", "b", "c")
    for name in ("a.pid", "b.pid"):
        spawn.wait_for(name)
    process.send_signal(signal.SIGINT)
    wait_for_words(process, "again to end them")
    for name in ("a.pid", "b.pid"):
        (spawn.folder / name).unlink()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [json.loads(line)["success"] for line in out.splitlines()] == [True, True]
    assert b"2 ok, 1 not started" in err


def test_ctrl_c_twice_ends_agents(spawn: Command) -> None:
    """F28: after a second Ctrl-C nobody is left within 12 s, not even who ignores TERM; exit 130.

    What had its result before is still printed, also when it waited for an earlier one.
    """
    script = f"case {{}} in c) ;; b) {DEAF};; *) {WORK};; esac"
    process = spawn.start("-j", "3", "--", "sh", "-c", script, ":::", "a", "b", "c", "d", "d")
    pids = [int(spawn.wait_for(f"{name}.pid")) for name in "abd"]
    process.send_signal(signal.SIGINT)
    wait_for_words(process, "again to end them")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 12
    assert process.returncode == 130
    assert [is_gone(pid) for pid in pids] == [True, True, True]
    assert [json.loads(line)["index"] for line in out.splitlines()] == [2]
    assert b"1 ok, 3 ended by us, 1 not started" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_term_and_hup_end_the_run(spawn: Command, number: signal.Signals, code: int) -> None:
    """F27: agents are ended, the journal is closed in good order, the exit code says which."""
    process = spawn.start("--journal", "j", "--", "sh", "-c", WORK, ":::", "a", "b")
    pids = [int(spawn.wait_for(f"{name}.pid")) for name in "ab"]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert [is_gone(pid) for pid in pids] == [True, True]
    assert b"Go on with: aurora-spawn --resume j -- sh" in err
    assert not (spawn.folder / "j-lock").exists()
    assert not (spawn.folder / "j-wal").exists()


def test_ctrl_c_ends_the_wait_for_input(spawn: Command) -> None:
    """A producer that says nothing holds nobody up."""
    process = spawn.start("--", "cat", stdin=subprocess.PIPE)
    process.stdin.write(b"a\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def test_ctrl_c_twice_leaves_a_reader_that_does_not_read(spawn: Command) -> None:
    """Results that nobody takes are no reason to stay."""
    script = "head -c 3000000 /dev/zero; touch {}.pid"
    process = spawn.start("-j", "1", "--", "sh", "-c", script, ":::", "a", "b")
    while not (spawn.folder / "b.pid").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    wait_for_words(process, "again to end them")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


class Terminal:
    """A pseudo terminal that a shell job has for its own."""

    def __init__(self, spawn: Command, *words: str, stdout: int | None = None) -> None:
        self.seen = b""
        self._ours, theirs = pty.openpty()
        # Makes the terminal its session's own, as a login does; then becomes the command, which
        # is so the leader of the foreground group.
        become = (
            "import fcntl, os, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0);"
            "os.execvp(sys.argv[1], sys.argv[1:])"
        )
        self.process = spawn.start(
            *words,
            through=(sys.executable, "-c", become),
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def read_until(self, words: bytes) -> None:
        deadline = time.monotonic() + 60
        while words not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"it never said {words!r}: {self.seen!r}"
            self._read()

    def rest(self) -> bytes:
        while self._read():
            pass
        return self.seen

    def _read(self) -> bool:
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def close(self) -> None:
        os.close(self._ours)


@contextlib.contextmanager
def terminal(spawn: Command, *words: str, **options: Any) -> Iterator[Terminal]:
    made = Terminal(spawn, *words, **options)
    try:
        yield made
    finally:
        made.close()


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def wait_for_state(pid: int, states: str) -> None:
    deadline = time.monotonic() + 60
    while state_of(pid) not in states:
        assert time.monotonic() < deadline, f"process {pid} is {state_of(pid)}, not {states}"
        time.sleep(0.01)


def test_ctrl_z_pauses_agents_and_their_time(spawn: Command) -> None:
    """F29: while the run is stopped agents stand still, and a pause as long as their deadline
    counts for nothing."""
    results = spawn.folder / "results"
    words = ("--timeout", "4", "--", "sh", "-c", "echo $$ > pid; exec sleep 2", ":::", "a")
    with open(results, "wb") as out, terminal(spawn, *words, stdout=out.fileno()) as screen:
        agent = int(spawn.wait_for("pid"))
        screen.type(b"\x1a")
        wait_for_state(screen.process.pid, "T")
        wait_for_state(agent, "T")
        time.sleep(4)
        assert state_of(agent) == "T"
        os.killpg(screen.process.pid, signal.SIGCONT)
        assert screen.process.wait(60) == 0
    assert json.loads(results.read_bytes())["success"]


def test_a_terminal_gets_a_bar_that_leaves_no_trace(spawn: Command) -> None:
    """Counts and about how long it takes yet are drawn in place; what stays is one line of sum."""
    spawn.env.update(TERM="xterm", LC_ALL="C.UTF-8")
    words = ("-j", "2", "--", "sleep", "0.3", ":::", *"abcdefghijkl")
    with (
        open(spawn.folder / "out", "wb") as out,
        terminal(spawn, *words, stdout=out.fileno()) as screen,
    ):
        screen.read_until(b" left")
        assert screen.process.wait(60) == 0
        text = screen.rest().decode()
    assert re.search(r"\d+/12.* 2 running", text)
    assert " · about " in text
    # Each drawing is erased before the next one: what follows the last erasure is what stays.
    assert re.fullmatch(r"12 ok · 0:\d\d\r\n", text.rpartition("\x1b[J")[2])
    assert len((spawn.folder / "out").read_bytes().splitlines()) == 12


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("TERM", "")])
def test_a_terminal_that_cannot_draw_gets_lines(spawn: Command, variable: str, value: str) -> None:
    """TERM=dumb: no escape byte at all."""
    spawn.env[variable] = value
    with terminal(spawn, "--", "false", ":::", "a") as screen:
        assert screen.process.wait(60) == 1
        text = screen.rest()
    assert b"FAIL  #0 a: exit 1" in text
    assert b"\x1b" not in text


def test_no_color_means_no_colour(spawn: Command) -> None:
    """NO_COLOR: the bar is drawn, without any colour (SGR 30 to 37)."""
    spawn.env.update(TERM="xterm", NO_COLOR="1")
    with terminal(spawn, "--", "sh", "-c", "sleep 1; false", ":::", "a") as screen:
        screen.read_until(b"1 running")
        assert screen.process.wait(60) == 1
        text = screen.rest()
    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", text)


def test_results_on_a_terminal_stand_in_lines_of_their_own(spawn: Command) -> None:
    """Where results and progress share a screen, the bar is erased before a result is written."""
    spawn.env["TERM"] = "xterm"
    with terminal(spawn, "-j", "1", "--", "sleep", "0.6", ":::", "a", "b") as screen:
        assert screen.process.wait(60) == 0
        text = screen.rest().decode()
    results = re.findall(r"(?:\x1b\[J|\n)(\{[^\n]*\})\r\n", text)
    assert [json.loads(each)["input"] for each in results] == ["a", "b"]


def test_ctrl_c_on_a_terminal_reaches_no_agent(spawn: Command) -> None:
    """F28: the key's signal is for us alone: agents finish, and the run ends with 130."""
    spawn.env["TERM"] = "xterm"
    with terminal(spawn, "--", "sh", "-c", WORK, ":::", "a") as screen:
        spawn.wait_for("a.pid")
        screen.type(b"\x03")
        screen.read_until(b"again to end them")
        (spawn.folder / "a.pid").unlink()
        assert screen.process.wait(60) == 130
        text = screen.rest()
    assert b"1 ok" in text


@pytest.mark.parametrize("place", ["typer", "aurora_spawner.cli.options"])
def test_ctrl_c_before_it_has_begun_ends_it_without_a_word(place: str, spawn: Command) -> None:
    """F28: interrupted while it imports what it needs, the command ends with 130, no traceback."""
    spawn.argv = (*spawn.argv[:3], INTERRUPTED.replace("PLACE", place) + spawn.argv[3])
    ended = spawn("--", "true", ":::", "a")
    assert (ended.code, ended.out, ended.err) == (130, b"", "")


def test_its_end_hangs_up_nobody_beside_it(spawn: Command) -> None:
    """F27: in a script that no shell controls, with a program beside it that stands still, the end
    of the command is no hang-up: the kernel sends one to a group that nobody looks after any more.
    """
    script = 'sleep 60 & kill -STOP $!; "$@"; echo "exit $?"; kill -KILL $!'
    process = spawn.start(
        *("--", "true", ":::", "a"), through=("sh", "-c", script, "sh"), start_new_session=True
    )
    out, _ = process.communicate(timeout=60)
    assert out.splitlines()[-1:] == [b"exit 0"]
    assert process.returncode == 0
