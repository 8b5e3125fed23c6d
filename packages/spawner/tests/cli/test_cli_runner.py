"""`aurora-spawn --runner dask`: the same inputs on a cluster."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from aurora_spawner.testing import FakeAgent, survivors

pytest.importorskip("typer")

if TYPE_CHECKING:
    Command = Any


def test_inputs_run_on_a_cluster_of_this_machine(spawn: Command) -> None:
    """With `--runner dask` agents are a worker's children; order, results and exit are the same."""
    pytest.importorskip("distributed")
    script = "tr '\\0' ' ' < /proc/$PPID/cmdline; echo; cat"
    ended = spawn("--runner", "dask", "-j", "2", "--", "sh", "-c", script, ":::", "one", "two")
    assert ended.code == 0, ended.err
    results = [json.loads(line) for line in ended.out.splitlines()]
    assert [each["output"].splitlines()[1] for each in results] == ["one", "two"]
    # Not of the command itself; what a worker is called differs.
    assert not any("aurora_spawner.cli" in each["output"].splitlines()[0] for each in results)


def test_nothing_outlives_a_killed_command_with_a_cluster(spawn: Command) -> None:
    """F26: after SIGKILL the agents, and the workers that ran them, are gone."""
    pytest.importorskip("distributed")
    pids = spawn.folder / "pids"
    agent = FakeAgent().record_pids(pids).daemon().hang()
    process = spawn.start("--runner", "dask", "-j", "2", "--", *agent.argv(), ":::", "a", "b")
    while not pids.exists() or len(survivors(pids)) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    began = time.monotonic()
    while left := survivors(pids):
        assert time.monotonic() - began < 30, f"left: {left}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--scheduler", "tls://login:8786"], "--scheduler is for --runner dask"),
        (["--runner", "dask", "--scheduler", "192.0.2.1:8786"], "--trust-network"),
        (["--runner", "dask", "--scheduler", "nonsense"], "tls://host:8786"),
        (["--runner", "dask", "--scheduler", "tls://127.0.0.1:1"], "TLS__CA_FILE"),
        (["--runner", "dusk"], "dusk"),
    ],
)
def test_a_cluster_that_cannot_be_is_told_and_nothing_starts(
    spawn: Command, flags: list[str], told: str
) -> None:
    """A cluster that may not or cannot be used ends it with code 2 and the way out."""
    if "dask" in flags:
        pytest.importorskip("distributed")
    ended = spawn(*flags, "--", "touch", "started", ":::", "a")
    assert ended.code == 2
    assert told in ended.err
    assert not (spawn.folder / "started").exists()
