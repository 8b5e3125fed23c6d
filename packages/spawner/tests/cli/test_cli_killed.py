"""F26: whoever of the command's three processes is killed, nobody is left; and what it had told
stays told."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_spawner import descendants
from aurora_spawner.testing import FakeAgent, survivors

pytest.importorskip("typer")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

if TYPE_CHECKING:
    Command = Any

# Becomes a subreaper, as an ancestor is, and then the program of its arguments.
SUBREAPER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def family(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """The ids of relay, ancestor and worker, as soon as there are all three."""

    def only_child(pid: int) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if found:
                return int(found[0])
            time.sleep(0.005)
        pytest.fail(f"process {pid} never had a child")

    ancestor = only_child(process.pid)
    return {"relay": process.pid, "ancestor": ancestor, "worker": only_child(ancestor)}


def nasty(pids: Path) -> FakeAgent:
    """An agent with descendants that do what they can to outlive it."""
    deaf = FakeAgent().ignore(signal.SIGTERM).hang()
    return (
        FakeAgent()
        .record_pids(pids)
        .fork(deaf, setsid=True)
        .fork(deaf, setsid=True, double=True)
        .daemon(scrubbed=True)
        .hang()
    )


@pytest.mark.parametrize(
    "killed",
    [("relay",), ("worker",), ("ancestor",), ("worker", "ancestor"), ("relay", "worker")],
    ids="+".join,
)
def test_nothing_outlives_a_killed_command(spawn: Command, killed: tuple[str, ...]) -> None:
    """F26: after SIGKILL of one of the three, or two, agents and descendants are gone within a
    second: those in other sessions, double-forked, deaf to TERM, with a scrubbed environment."""
    pids = spawn.folder / "pids"
    process = spawn.start("-j", "3", "--", *nasty(pids).argv(), ":::", "a", "b", "c")
    ids = family(process)
    # An agent and three descendants each; a double fork leaves a line of its first child as well.
    while not pids.exists() or len(survivors(pids)) < 12:
        assert process.poll() is None
        time.sleep(0.01)
    for name in killed:
        os.kill(ids[name], signal.SIGKILL)
    began = time.monotonic()
    while left := survivors(pids):
        # The promise is a second; the rest is for a machine that is busy with other tests.
        assert time.monotonic() - began < 5, f"left: {left}"
        time.sleep(0.01)
    assert process.wait(60) == -signal.SIGKILL


def test_the_ancestor_tells_the_end_only_when_nobody_is_left(tmp_path: Path) -> None:
    """F26: an ancestor killed at its work has not told of the worker's end, so that the relay
    ends what is left."""
    pids = tmp_path / "pids"
    crowd = " & ".join([shlex.join(nasty(pids).argv())] * 5)
    told, status = os.pipe()
    table = os.memfd_create("table")
    os.ftruncate(table, descendants.TABLE_SLOTS * 4)
    # The worker is the child of what becomes the ancestor; its agents come to the ancestor.
    script = f'sh -c "{crowd} & exec sleep 60" & exec "$@" $! 0 {status}'
    program = (sys.executable, "-I", "-S", descendants.__file__, "ancestor", str(table), "word")
    become_subreaper = (sys.executable, "-c", SUBREAPER, "sh", "-c", script, "sh", *program)
    with subprocess.Popen(
        become_subreaper, stdin=subprocess.PIPE, pass_fds=(table, status), text=True
    ) as ancestor:
        os.close(status)
        try:
            while not pids.exists() or len(survivors(pids)) < 20:
                assert ancestor.poll() is None
                time.sleep(0.01)
            children = Path(f"/proc/{ancestor.pid}/task/{ancestor.pid}/children")
            os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
            assert os.read(told, 100) == b"9\n"
            assert survivors(pids) == ()
        finally:
            ancestor.kill()
            for pid in survivors(pids):
                os.kill(pid, signal.SIGKILL)
            os.close(told)
            os.close(table)


def test_one_look_that_finds_nobody_is_not_believed() -> None:
    """F26: whom a look misses, because it was born while its parent ended, is found by the next
    one, whoever looks."""
    above = subprocess.Popen(FakeAgent().fork(FakeAgent().hang()).hang().argv())
    unseen = [list[descendants.Process]()]

    def find() -> list[descendants.Process]:
        return descendants.line_of(above.pid, descendants.processes())

    while not (below := find()):
        time.sleep(0.01)
    descendants.end_all(lambda: unseen.pop() if unseen else find())
    left = [process for process in below if descendants.look(process.pid)]
    for process in left:
        descendants.send(process, signal.SIGKILL)
    above.kill()
    above.wait()
    assert left == []


# What an ancestor does at the end, with so many looks that find nobody.
BLIND = """
from pathlib import Path
import os, subprocess, sys
from aurora_spawner import descendants
from aurora_spawner.testing import survivors

pids, looks, *agent = sys.argv[1:]
everyone, unseen = descendants.processes, [()] * int(looks)
descendants.processes = lambda: unseen.pop() if unseen else everyone()
child = subprocess.Popen(agent)
while not Path(pids).exists() or len(survivors(pids)) < 2:
    assert child.poll() is None
table = os.memfd_create("table")
os.ftruncate(table, descendants.TABLE_SLOTS * 4)
descendants._end_what_is_left(table, b"nobody's", adopts=True)
"""


def test_an_ancestor_looks_until_it_has_no_child(tmp_path: Path) -> None:
    """F26: who adopts orphans knows whether somebody is left, however many looks find nobody."""
    pids = tmp_path / "pids"
    agent = FakeAgent().record_pids(pids).daemon(scrubbed=True).hang().argv()
    blind = (sys.executable, "-c", BLIND, str(pids), "10", *agent)
    try:
        subprocess.run((sys.executable, "-c", SUBREAPER, *blind), check=True, timeout=60)
        assert survivors(pids) == ()
    finally:
        for pid in survivors(pids):
            os.kill(pid, signal.SIGKILL)
