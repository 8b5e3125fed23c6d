"""`aurora-soar` killed at random moments and resumed: nothing lost, nothing done twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

COMMAND = [sys.executable, "-P", "-c", "from aurora_soar.cli import main; main()"]

# How often it is killed: a few times with every change, a hundred times by AURORA_REPETITIONS=100.
KILLS = min(int(os.environ.get("AURORA_REPETITIONS", "4")), 100)

# Seconds, a net.
PATIENCE = 100

# Notes each start; then does what its agent is for. The word after TASK is the subgoal's id.
SCRIPT = """\
task=$(cat | grep -o 'TASK-[a-z0-9]*' | head -n 1)
echo "$task" >> began
"""

WORKS = 'sleep 0.03; echo "done: $task"'
FAILS = "echo broken >&2; exit 3"
HANGS = "sleep 1000"

# A claude that is refused once for each task, and answers then.
CLAUDE = """\
if [ ! -e "limited-$task" ]; then
    touch "limited-$task"
    echo '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":1000,"error_status":429,"error":"rate_limit"}'
    sleep 100
fi
printf '{"type":"result","subtype":"success","is_error":false,"result":"done: %s"}\\n' "$task"
"""  # noqa: E501 - a line of claude's


def subgoal(name: str, agent: str, *needs: str, **more: str) -> str:
    lines = [f'id = "{name}"', f'agent = "{agent}"', f'description = "TASK-{name}"']
    lines += [f"depends_on = {json.dumps(needs)}"] if needs else []
    lines += [f"{key} = {json.dumps(value)}" for key, value in more.items()]
    return "\n".join(["[[subgoals]]", *lines])


def plan() -> tuple[str, dict[str, str]]:
    """Sixty subgoals, and how each must end."""
    must = {}
    subgoals = []

    def add(name: str, outcome: str, agent: str, *needs: str, **more: str) -> None:
        must[name] = outcome
        subgoals.append(subgoal(name, agent, *needs, **more))

    add("top", "ok", "worker")
    add("left", "ok", "worker", "top")
    add("right", "ok", "worker", "top")
    add("bottom", "ok", "worker", "left", "right")
    for number in range(40):
        add(f"fan{number}", "ok", "worker", "top")
    for number in range(4):
        add(f"chain{number}", "ok", "worker", f"chain{number - 1}" if number else "bottom")
    add("limited", "ok", "limited")
    add("after", "ok", "worker", "limited")
    add("hangs", "failed", "hanger", timeout="1s")
    add("bad0", "failed", "broken")
    # Its agent's circuit is open by then.
    add("bad1", "failed", "broken", "bad0", on_dependency_failure="run")
    add("bad2", "blocked", "broken", "bad1", on_dependency_failure="run")
    for number in range(4):
        add(f"skipped{number}", "skipped", "worker", "bad0")
    add("told", "ok", "worker", "bad0", on_dependency_failure="run")
    add("last", "ok", "worker", "bottom", "after")
    agents = {"worker": WORKS, "broken": FAILS, "hanger": HANGS}
    head = ["defaults = { retries = 0 }", "limits = { max_concurrent = 8 }"]
    head += [
        f'[agents.{name}]\ncommand = ["sh", "-c", {json.dumps(SCRIPT + script)}]'
        for name, script in agents.items()
    ]
    head.append('[agents.limited]\ntool = "claude"')
    assert len(must) == 60
    return "\n".join([*head, *subgoals]), must


class Project:
    """A folder with the plan, and the command in it."""

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "plan.toml").write_text(text)
        claude = folder / "claude"
        claude.write_text(f"#!/bin/sh\n{SCRIPT}{CLAUDE}")
        claude.chmod(0o755)

    def start(self) -> subprocess.Popen[bytes]:
        """Run the plan, or go on with it."""
        begun = list(self.folder.glob(".aurora/runs/*/run.json"))
        flags = ["-q", "--json"]
        first = ["run", "plan.toml", "--no-fallback", "--no-shared-circuits", *flags]
        return subprocess.Popen(
            [*COMMAND, *(["resume", *flags] if begun else first)],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def began(self) -> Counter[str]:
        """How often each subgoal was begun."""
        path = self.folder / "began"
        words = path.read_text().split() if path.exists() else []
        return Counter(word.removeprefix("TASK-") for word in words)

    def answered(self) -> set[str]:
        """The subgoals of which it was told that they are done."""
        events = []
        for path in self.folder.glob(".aurora/runs/*/events.jsonl"):
            text = path.read_text()
            events += [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return {
            event["subgoal"]
            for event in events
            if event["type"] == "subgoal.finished" and event["outcome"] == "ok"
        }

    def left(self) -> list[str]:
        """Who still works in the folder."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd") == str(self.folder):
                    found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found


def test_f54_killed_and_resumed(tmp_path: Path) -> None:
    """F26, F54: however often a plan of sixty is killed, nobody is left, what was told as done is
    not run again, and in the end every subgoal has come to its own end."""
    text, must = plan()
    chance = random.Random(KILLS)
    done = 0
    while done < KILLS:
        project = Project(tmp_path / f"after-{done}", text)
        kills, results = killed_until_it_ends(project, chance, KILLS - done)
        done += kills
        assert {each["id"]: each["outcome"] for each in results["subgoals"]} == must
        for each in results["subgoals"]:
            if each["outcome"] == "ok":
                assert each["output"].strip() == f"done: TASK-{each['id']}"


def killed_until_it_ends(
    project: Project, chance: random.Random, most: int
) -> tuple[int, dict[str, Any]]:
    """Kill it and go on until it comes to its end; how often, and its results."""
    # What was told as done, and how often it had been begun by then.
    told: dict[str, int] = {}
    kills = 0
    while True:
        process = project.start()
        try:
            out, err = process.communicate(
                timeout=chance.uniform(0.3, 2.5) if kills < most else PATIENCE
            )
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            deadline = time.monotonic() + 5
            while left := project.left():
                assert time.monotonic() < deadline, left
                time.sleep(0.02)
            out = b""
        began = project.began()
        assert {name: began[name] for name in told} == told
        told |= {name: began[name] for name in project.answered()}
        if out:
            return kills, json.loads(out)
        assert process.returncode == -9, err.decode()
