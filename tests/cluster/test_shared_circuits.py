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


def soar(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a project of the same name, on a machine with that home."""
    project = home / "project"
    if not project.exists():
        project.mkdir(parents=True)
        (project / "plan.toml").write_text(PLAN)
        (home / "bin").mkdir()
        FakeAgent().read().exit(3).install(home / "bin" / "llm")
    code = "from aurora_soar.cli import main; main()"
    return subprocess.run(
        (sys.executable, "-c", code, *arguments),
        cwd=project,
        env={
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(home: Path, *flags: str) -> dict[str, Any]:
    """What became of the plan's subgoal."""
    ended = soar(home, "run", "plan.toml", "--json", "-q", "--no-fallback", *flags)
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


def test_shared_circuits_are_listed_reset_and_isolated_from_any_machine(
    redis_url: str, tmp_path: Path
) -> None:
    """F53: what one machine learned another one lists and resets; whom it isolates none runs."""
    one, two, store = tmp_path / "one", tmp_path / "two", ("--circuit-store", redis_url)
    run(one, *store)
    listed = json.loads(soar(two, "circuits", "--json", *store).stdout)
    assert (listed["file"], listed["server"]) == (None, redis_url)
    (known,) = listed["circuits"]
    assert (known["project"], known["agent"], known["state"]) == ("project", "broken", "open")
    assert soar(two, "circuits").stdout.startswith("no agent is known to fail")
    assert soar(two, "circuits", "reset", *store).stdout == "1 circuit reset\n"
    assert "exit 3" in run(one, *store)["error"]
    soar(two, "circuits", "reset", *store)
    assert soar(two, "circuits", "isolate", "broken", *store).returncode == 0
    assert "Circuit breaker open" in run(one, *store)["error"]
    assert soar(one, "circuits", "isolate", "broken", "--undo", *store).returncode == 0
    assert "exit 3" in run(two, *store)["error"]


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    """F52: to look at circuits on a server that does not answer is an error that names it."""
    url = "redis://me:secret@127.0.0.1:9/0"
    ended = soar(tmp_path, "circuits", "--circuit-store", url)
    assert ended.returncode == 74
    assert "is there a Redis at redis://127.0.0.1:9/0?" in ended.stderr
    assert "secret" not in ended.stderr + ended.stdout
