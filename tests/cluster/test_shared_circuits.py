"""Circuits on a Redis server: what a run on one machine learns holds on the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from aurora_spawner.testing import FakeAgent

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


def test_a_circuit_opened_on_one_machine_is_open_on_another(redis_url: str, tmp_path: Path) -> None:
    """F53: an agent whose circuit one machine opened is not run by the next that shares the store,
    and is run by one that does not."""
    first = run(tmp_path / "one", "--circuit-store", redis_url)
    assert "exit 3" in first["error"]
    second = run(tmp_path / "two", "--circuit-store", redis_url)
    assert "Circuit breaker open" in second["error"]
    alone = run(tmp_path / "three")
    assert "exit 3" in alone["error"]
