"""Signals: what Ctrl-C, SIGTERM and SIGHUP make of a run."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

# Two that run at once, one that waits for its turn, one that is deaf to TERM. Whoever is forgotten
# by a broken run goes with its folder.
PLAN = '''
    limits.max_concurrent = 2
    defaults.retries = 0
    [agents.patient]
    command = ["sh", "-c", """
        echo $$ > patient
        until test -e go; do sleep 0.05 < patient || exit; done
    """]
    [agents.deaf]
    command = ["sh", "-c", "trap '' TERM; echo $$ > deaf; while sleep 0.05 < deaf; do :; done"]
    [agents.late]
    command = ["sh", "-c", "touch late"]
    [[subgoals]]
    id = "patient"
    [[subgoals]]
    id = "{second}"
    [[subgoals]]
    id = "late"
'''

# Put before the command: Ctrl-C comes while it is still being imported.
INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "PLACE":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


def outcomes(soar: Command) -> dict[str, str]:
    """What the results file says of each subgoal."""
    (path,) = soar.folder.glob(".aurora/runs/*/results.json")
    return {each["id"]: each["outcome"] for each in json.loads(path.read_text())["subgoals"]}


def wait_for_line(process: subprocess.Popen[bytes], words: str) -> None:
    """Read standard error up to a line with these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line.decode():
            return
    pytest.fail(f"it never said {words!r}")


def test_ctrl_c_once_lets_agents_finish(soar: Command) -> None:
    """F28: after one Ctrl-C what runs may finish, nothing new starts; summary, exit 130."""
    plan = soar.plan(PLAN.replace('id = "{second}"', 'id = "other"\n    agent = "patient"'))
    process = soar.start("run", plan)
    soar.wait_for_file("patient")
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "again to end them")
    (soar.folder / "go").touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert outcomes(soar) == {"patient": "ok", "other": "ok", "late": "skipped"}
    assert "2 ok, 1 skipped" in err.decode()
    assert not (soar.folder / "late").exists()


def test_ctrl_c_twice_ends_agents(soar: Command, alive: Callable[[int], bool]) -> None:
    """F28: after a second Ctrl-C nobody is left, not even who ignores TERM; exit 130."""
    process = soar.start("run", soar.plan(PLAN.replace("{second}", "deaf")))
    pids = [int(soar.wait_for_file(name)) for name in ("patient", "deaf")]
    process.send_signal(signal.SIGINT)
    wait_for_line(process, "again to end them")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [alive(pid) for pid in pids] == [False, False]
    assert outcomes(soar) == {"patient": "unfinished", "deaf": "unfinished", "late": "skipped"}
    assert "CUT   patient" in err.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_term_and_hup_end_agents(
    soar: Command, alive: Callable[[int], bool], number: signal.Signals, code: int
) -> None:
    """F27: SIGTERM and SIGHUP end the agents, keep the results, and are the exit code."""
    plan = soar.plan(PLAN.replace('id = "{second}"', 'id = "other"\n    agent = "patient"'))
    process = soar.start("run", plan)
    pid = int(soar.wait_for_file("patient"))
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert not alive(pid)
    assert outcomes(soar)["patient"] == "unfinished"
    assert f"ended by {number.name}" in err.decode()
    assert "Traceback" not in err.decode()


def test_an_ignored_hangup_stays_ignored(soar: Command) -> None:
    """Under nohup a SIGHUP changes nothing."""
    plan = soar.plan(PLAN.replace('id = "{second}"', 'id = "other"\n    agent = "patient"'))

    process = soar.start(
        "run", plan, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    soar.wait_for_file("patient")
    process.send_signal(signal.SIGHUP)
    (soar.folder / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize("place", ["typer", "aurora_soar.phases"])
def test_ctrl_c_before_it_has_begun_ends_it_without_a_word(place: str, soar: Command) -> None:
    """F28: interrupted while it imports what it needs, the command ends with 130, no traceback."""
    soar.code = INTERRUPTED.replace("PLACE", place) + soar.code
    ended = soar.run("run", soar.plan(PLAN.format(second="deaf")))
    assert (ended.code, ended.out, ended.err) == (130, "", "")
