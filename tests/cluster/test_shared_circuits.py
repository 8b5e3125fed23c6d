"""Circuits on a Redis server: what a run on one machine learns holds on the others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner.testing import FakeAgent

pytest.importorskip("redis")
pytest.importorskip("aurora_soar")

PLAN = """
name = "one"
[agents.broken]
tool = "llm"
description = "Does what it can."
[[subgoals]]
id = "a"
agent = "broken"
description = "Say something."
retries = 1
"""


@pytest.fixture
def server() -> Iterator[str]:
    """A Redis server of this test's own."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not on PATH (Debian and Ubuntu: apt install redis-server)"
    # Not tmp_path: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder, "socket")
        command = [program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                assert process.poll() is None
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait()


def run(home: Path, *flags: str) -> dict[str, Any]:
    """The plan in a project of the same name, on a machine with that home."""
    project = home / "project"
    project.mkdir(parents=True, exist_ok=True)
    (project / "plan.toml").write_text(PLAN)
    (home / "bin").mkdir()
    FakeAgent().read().exit(3).install(home / "bin" / "llm")
    code = "from aurora_soar.cli import main; main()"
    ended = subprocess.run(
        (sys.executable, "-c", code, "run", "plan.toml", "--json", "-q", "--no-fallback", *flags),
        cwd=project,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        },
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    (subgoal,) = json.loads(ended.stdout)["subgoals"]
    assert isinstance(subgoal, dict)
    return subgoal


def test_a_circuit_opened_on_one_machine_is_open_on_another(server: str, tmp_path: Path) -> None:
    """F53: an agent whose circuit one machine opened is not run by the next that shares the store,
    and is run by one that does not."""
    first = run(tmp_path / "one", "--circuit-store", server)
    assert "exit 3" in first["error"]
    second = run(tmp_path / "two", "--circuit-store", server)
    assert "Circuit breaker open" in second["error"]
    alone = run(tmp_path / "three")
    assert "exit 3" in alone["error"]
