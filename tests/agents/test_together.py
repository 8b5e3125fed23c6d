"""Plans and batches of real agents, through the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .clis import CLAUDE, CODEX, Cli
from .model_server import Act, Asked, Call, Failure, ModelServer, Refuse, Say
from .workplace import Workplace

Serve = Callable[[Callable[[Asked], Act]], ModelServer]

# Seconds, a net.
PATIENCE = 200.0

# US dollars: what claude reckons for one answer of the server.
ONE_ANSWER = 0.0004

PLAN = """\
name = "mixed"
defaults = { retries = 0 }

[agents.architect]
tool = "claude"
description = "ROLE-architect"
[agents.coder]
tool = "claude"
description = "ROLE-coder"
[agents.broken]
tool = "claude"
description = "ROLE-broken"

[[subgoals]]
id = "survey"
agent = "architect"
description = "TASK-survey"
[[subgoals]]
id = "limited"
agent = "coder"
description = "TASK-limited"
[[subgoals]]
id = "first"
agent = "broken"
description = "TASK-first"
[[subgoals]]
id = "second"
agent = "broken"
depends_on = ["first"]
description = "TASK-second"
[[subgoals]]
id = "third"
agent = "broken"
depends_on = ["second"]
description = "TASK-third"
"""


def command(distribution: str, *arguments: str) -> list[str]:
    """One of the commands, as it is installed."""
    code = f"from {distribution}.cli import main; main()"
    return [sys.executable, "-P", "-c", code, *arguments]


def surroundings(cli: Cli, server: ModelServer, workplace: Workplace) -> dict[str, str]:
    """The environment of a command whose agents talk to that server."""
    settings = cli.environment(server.url, workplace.home)
    state = {"XDG_STATE_HOME": str(workplace.home / "state")}
    return {**os.environ, **settings, **state, **workplace.variables}


def run_plan(
    cli: Cli, server: ModelServer, workplace: Workplace, plan: str, *options: str
) -> dict[str, Any]:
    """Run a plan; its results."""
    (workplace.work / "plan.toml").write_text(plan, encoding="utf-8")
    done = subprocess.run(
        command("aurora_soar", "run", "plan.toml", "--json", "--events", "events", *options),
        env=surroundings(cli, server, workplace),
        cwd=workplace.work,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def events(workplace: Workplace) -> list[dict[str, Any]]:
    lines = (workplace.work / "events").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_plan_with_a_limit_and_a_broken_agent(serve: Serve, workplace: Workplace) -> None:
    """Of the real claude: a good agent answers, a limited one after its wait, a broken one is
    asked until its circuit opens, the plain LLM answers for it, and every answer costs what was
    paid for it."""
    limited = iter([Refuse(Failure.RATE_LIMIT, retry_after=1)])

    def script(asked: Asked) -> Act:
        if "ROLE-broken" in asked.text:
            return Refuse(Failure.TOO_LONG)
        if "TASK-limited" in asked.text:
            return next(limited, Say("limited: done"))
        return Say("fine answer")

    server = serve(script)
    results = run_plan(CLAUDE, server, workplace, PLAN)
    by_id = {subgoal["id"]: subgoal for subgoal in results["subgoals"]}
    assert [subgoal["id"] for subgoal in results["subgoals"]] == [
        *("survey", "limited", "first", "second", "third")
    ]
    assert {id: subgoal["outcome"] for id, subgoal in by_id.items()} == dict.fromkeys(by_id, "ok")
    assert {id for id, subgoal in by_id.items() if subgoal["fallback"]} == {
        *("first", "second", "third")
    }
    assert by_id["limited"]["output"] == "limited: done"
    kinds = [event["type"] for event in events(workplace)]
    assert kinds.index("tool.parked") < kinds.index("tool.resumed")
    assert kinds.count("tool.resumed") == 1
    assert kinds.count("circuit.opened") == 1
    # The third time the broken agent is not even asked.
    refused = [r.asked.task for r in server.records if r.act == Refuse(Failure.TOO_LONG)]
    assert refused == ["TASK-first", "TASK-second"]
    paid = Counter(task for task, _ in server.paid())
    for id, subgoal in by_id.items():
        assert paid[f"TASK-{id}"] == 1
        assert subgoal["cost_usd"] == pytest.approx(ONE_ANSWER)
        assert (subgoal["tokens_in"], subgoal["tokens_out"]) == (40, 8)


class Outage:
    """Everybody works for two turns; after some turns the provider refuses for a while."""

    def __init__(self, after: int, seconds: int) -> None:
        self._left = after
        self._seconds = seconds
        self._until: float | None = None
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Act:
        with self._lock:
            now = time.monotonic()
            if self._left == 0 and self._until is None:
                self._until = now + self._seconds
            if self._until is not None and now < self._until:
                return Refuse(Failure.RATE_LIMIT, retry_after=self._seconds)
            self._left = max(self._left - 1, 0)
        return (
            Call(f"echo {asked.task}; sleep 0.2") if asked.turn == 0 else Say(f"{asked.task} done")
        )


@pytest.mark.parametrize("cli", [CLAUDE, CODEX], ids=lambda cli: cli.name)
def test_a_plan_of_eight_runs_into_a_limit(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """In the middle of a plan of eight the provider refuses: new starts are parked, who had worked
    goes on or takes up its own session, everything finishes, and no turn is paid for twice."""
    server = serve(Outage(after=5, seconds=4))
    names = [f"t{number}" for number in range(8)]
    plan = "\n".join(
        [
            'name = "eight"',
            "limits = { max_concurrent = 4 }",
            "[agents.worker]",
            f'tool = "{cli.name}"',
            *(
                f'[[subgoals]]\nid = "{name}"\nagent = "worker"\ndescription = "TASK-{name}"'
                for name in names
            ),
        ]
    )
    results = run_plan(cli, server, workplace, plan, "--permissions", "full-access")
    told = {
        s["id"]: (s["outcome"], s["output"].strip(), s["fallback"]) for s in results["subgoals"]
    }
    assert told == {name: ("ok", f"TASK-{name} done", False) for name in names}
    expected = [(f"TASK-{name}", turn) for name in names for turn in (0, 1)]
    assert Counter(server.paid()) == Counter(expected)
    seen = events(workplace)
    [parked, *_] = [number for number, event in enumerate(seen) if event["type"] == "tool.parked"]
    resumed = next(n for n, event in enumerate(seen) if event["type"] == "tool.resumed")
    assert parked < resumed
    started = [e["type"] for e in seen[parked:resumed] if e["type"] == "attempt.started"]
    assert started == []
    assert workplace.left() == []


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines in a file, parsed."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def test_a_killed_batch_is_picked_up(serve: Serve, workplace: Workplace) -> None:
    """F54: `aurora-spawn --resume` after a SIGKILL runs what is missing, and pays nothing twice
    that was told as done."""
    server = serve(lambda asked: Say(f"{asked.task} is done", pause=0.3))
    inputs = [f"TASK-{letter}" for letter in "abcdef"]
    variables = surroundings(CLAUDE, server, workplace)
    printed = workplace.work / "printed"
    with open(printed, "wb") as file:
        running = subprocess.Popen(
            command(
                "aurora_spawner",
                *("--tool=claude", "-j", "2", "--journal", "batch.db", "{}", ":::", *inputs),
            ),
            env=variables,
            cwd=workplace.work,
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while len(read_lines(printed)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            running.kill()
            running.wait()
    assert workplace.left_after(seconds=5) == []
    acknowledged = [line["input"] for line in read_lines(printed)]
    assert len(acknowledged) < len(inputs)

    done = subprocess.run(
        command(
            "aurora_spawner",
            *("--tool=claude", "-j", "2", "--resume", "batch.db", "{}", ":::", *inputs),
        ),
        env=variables,
        cwd=workplace.work,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["input"], line["success"]) for line in lines] == [(i, True) for i in inputs]
    paid = Counter(server.paid())
    assert [paid[task, 0] for task in acknowledged] == [1] * len(acknowledged)
    assert sum(line["cost_usd"] for line in lines) == pytest.approx(len(inputs) * ONE_ANSWER)
