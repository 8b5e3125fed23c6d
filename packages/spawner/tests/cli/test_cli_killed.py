"""F26: whoever of the command's three processes is killed, nobody is left; and what it had told
stays told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_spawner.testing import FakeAgent, survivors

pytest.importorskip("typer")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

if TYPE_CHECKING:
    Command = Any


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
