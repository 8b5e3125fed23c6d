"""`aurora-soar run --runner dask`: the same plan on a cluster."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

pytest.importorskip("distributed")

PLAN = """
    name = "two"
    [agents.whose]
    command = ["sh", "-c", "cat /proc/$PPID/cmdline; echo; cat"]
    [[subgoals]]
    id = "first"
    agent = "whose"
    description = "who runs this?"
    [[subgoals]]
    id = "second"
    agent = "whose"
    depends_on = ["first"]
"""


def test_a_plan_runs_on_a_cluster_of_this_machine(soar: Command) -> None:
    """With `--runner dask` agents are a worker's children; order, results and exit are the same."""
    soar.plan(PLAN)
    ended = soar.run("run", "plan.toml", "--runner", "dask", "--json")
    assert ended.code == 0, ended.err
    results = json.loads(ended.out)["subgoals"]
    assert [each["outcome"] for each in results] == ["ok", "ok"]
    # Not of the command itself; what a worker is called differs.
    assert not any("aurora_soar" in each["output"].splitlines()[0] for each in results)
    assert "who runs this?" in results[1]["output"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--runner", "dask", "--scheduler", "192.0.2.1:8786"], "--trust-network"),
        (["--runner", "dask", "--scheduler", "nonsense"], "tls://host:8786"),
        (["--scheduler", "tls://login:8786"], "--scheduler is for --runner dask"),
        (["--runner", "dask", "--scheduler", "tls://127.0.0.1:1"], "TLS__CA_FILE"),
        (["--circuit-store", "nonsense"], "circuit_store"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_starts(
    soar: Command, flags: list[str], told: str
) -> None:
    """A cluster or store that may not or cannot be used ends it with code 2 and the way out."""
    soar.plan(PLAN)
    ended = soar.run("run", "plan.toml", *flags)
    assert ended.code == 2
    assert told in ended.err
    assert "START" not in ended.err


def test_a_project_cannot_say_where_prompts_go(soar: Command) -> None:
    """F71: a scheduler that a project's file names is refused, with the file that may name it."""
    soar.plan(PLAN)
    (soar.folder / "aurora.toml").write_text('runner = "dask"\nscheduler = "tls://evil:1"\n')
    ended = soar.run("run", "plan.toml")
    assert ended.code == 2
    assert '"scheduler" is for your own file alone' in ended.err


def test_an_interrupt_lets_the_agents_of_the_cluster_finish(soar: Command) -> None:
    """F28: one Ctrl-C of the terminal does not reach the workers: what runs there may finish."""
    go = soar.folder / "go"
    soar.plan(f"""
        name = "one"
        [agents.slow]
        command = ["sh", "-c", "touch begun; while [ ! -e {go} ]; do sleep 0.02; done; echo done"]
        [[subgoals]]
        id = "a"
        agent = "slow"
        [[subgoals]]
        id = "b"
        agent = "slow"
        depends_on = ["a"]
    """)
    process = soar.start(
        "run", "plan.toml", "--runner", "dask", "--progress", "plain", process_group=0
    )
    deadline = time.monotonic() + 60
    while not (soar.folder / "begun").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # A terminal's Ctrl-C reaches the whole job, and each of it once: the program by its parent,
    # who passes on what comes from somebody, and so is left out here.
    for line in Path("/proc").glob("[0-9]*/stat"):
        group, pid = _group_of(line)
        if group == process.pid and pid != process.pid:
            os.kill(pid, signal.SIGINT)
    go.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "1 ok" in err.decode()
    assert "done" in next(soar.folder.glob(".aurora/runs/*/a/output.txt")).read_text()


def _group_of(stat: Path) -> tuple[int, int]:
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[2]), int(stat.parent.name)
