"""The programs under fire: how each is started, goes on, and keeps and tells its results."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
from tests.cluster.machines import Machines

from aurora_spawner.journal import Journal

from .agents import KINDS
from .drawing import Experiment
from .processes import command_line, descendants, only_child

__all__ = ["Target", "Told", "finished", "target_of"]

SPAWN = [sys.executable, "-P", "-c", "from aurora_spawner.cli import main; main()"]
SOAR = [sys.executable, "-P", "-c", "from aurora_soar.cli import main; main()"]


@dataclass(frozen=True, slots=True)
class Told:
    """A result as a target told it.

    Attributes:
        name: The agent.
        outcome: `ok`, `failed` or `skipped`.
        output: What it said; None where that is not told.
    """

    name: str
    outcome: str
    output: str | None = None


class Target(Protocol):
    """A program under fire.

    Attributes:
        ledgers: The folder that agents write into, on a disk that has room.
        kept: The folder for what the target keeps; it may be on a disk without.
    """

    ledgers: Path
    kept: Path

    def argv(self, *, last: bool) -> list[str]:
        """The command that begins, or goes on; the last one tells all that was ever answered."""

    def parts(self, pid: int) -> dict[str, psutil.Process]:
        """Its processes by name, as far as they are there."""

    def told(self, out: bytes) -> list[Told]:
        """The results on its standard output; a line that was cut off is none."""

    def journal(self) -> Path | None:
        """Where its results are kept, if there are any yet."""


def target_of(
    experiment: Experiment, ledgers: Path, kept: Path, machines: Machines | None
) -> Target:
    """The target of an experiment, with its agents written where it reads them."""
    if experiment.target in ("plan", "cluster"):
        return _Plan(experiment, ledgers, kept, machines.address if machines else None)
    lines = ledgers / "tasks.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for agent in experiment.agents:
            task = {
                "id": agent.name,
                "prompt": agent.prompt,
                "command": agent.command(ledgers),
                "timeout": KINDS[agent.kind].timeout,
            }
            file.write(json.dumps(task) + "\n")
    kind = _Command if experiment.target == "command" else _Library
    return kind(lines, experiment.jobs, ledgers, kept)


def finished(target: Target) -> dict[str, str]:
    """What the journal has acknowledged as answered; it is read from a copy.

    Raises:
        JournalError: It is damaged.
    """
    journal = target.journal()
    if journal is None:
        return {}
    copy = target.ledgers / "copy"
    copy.mkdir()
    try:
        for file in journal.parent.glob(f"{journal.name}*"):
            shutil.copy(file, copy)
        with Journal.open(copy / journal.name) as opened:
            results = [(line["identity"], line["result"]) for line in opened.export()]
    finally:
        shutil.rmtree(copy)
    return {name: result["output"] for name, result in results if result and result["success"]}


def _tree_of_a_command(pid: int) -> dict[str, psutil.Process]:
    found: dict[str, psutil.Process] = {}
    try:
        process: psutil.Process | None = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return found
    for name in ("relay", "ancestor", "worker"):
        if process is None:
            break
        found[name] = process
        process = only_child(process)
    return found


def _objects(out: bytes) -> Iterator[Mapping[str, Any]]:
    for line in out.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)


class _Lines:
    """Tasks in a file of lines, results in lines of output, and one journal."""

    def __init__(self, tasks: Path, jobs: int, ledgers: Path, kept: Path) -> None:
        self.ledgers = ledgers
        self.kept = kept
        self._tasks = str(tasks)
        self._jobs = str(jobs)
        self._journal = kept / "journal"

    def told(self, out: bytes) -> list[Told]:
        return [
            Told(line["id"], "ok" if line["success"] else "failed", line["output"])
            for line in _objects(out)
        ]

    def journal(self) -> Path | None:
        return self._journal if self._journal.exists() else None


class _Command(_Lines):
    """`aurora-spawn` with a journal."""

    def argv(self, *, last: bool) -> list[str]:
        journal = "--resume-failed" if self._journal.exists() else "--journal"
        flags = ["-j", self._jobs, "--policy", "fast_fail", "-q"]
        return [*SPAWN, "--jsonl", "-a", self._tasks, *flags, journal, str(self._journal)]

    def parts(self, pid: int) -> dict[str, psutil.Process]:
        return _tree_of_a_command(pid)


class _Library(_Lines):
    """A program that uses the library, which has a helper in the place of an ancestor."""

    def argv(self, *, last: bool) -> list[str]:
        program = [sys.executable, "-m", "tests.chaos.embedding"]
        return [*program, self._tasks, str(self._journal), self._jobs]

    def parts(self, pid: int) -> dict[str, psutil.Process]:
        try:
            found = {"worker": psutil.Process(pid)}
        except psutil.NoSuchProcess:
            return {}
        for process in descendants():
            if "descendants.py lifeline" in command_line(process):
                found["helper"] = process
        return found


class _Plan:
    """`aurora-soar` with a plan, on this machine or on a cluster."""

    def __init__(
        self, experiment: Experiment, ledgers: Path, kept: Path, scheduler: str | None
    ) -> None:
        self.ledgers = ledgers
        self.kept = kept
        self._where = ["--runner", "dask", "--scheduler", scheduler] if scheduler else []
        agents = {
            agent.name: {"command": list(agent.command(ledgers))} for agent in experiment.agents
        }
        subgoals = [
            {
                "id": agent.name,
                "agent": agent.name,
                "description": agent.prompt,
                "depends_on": list(agent.needs),
                "timeout": KINDS[agent.kind].timeout,
                "retries": agent.retries,
            }
            for agent in experiment.agents
        ]
        plan = {
            "limits": {"max_concurrent": experiment.jobs},
            "agents": agents,
            "subgoals": subgoals,
        }
        (ledgers / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    def argv(self, *, last: bool) -> list[str]:
        flags = [*self._where, "-q", *(["--json"] if last else ["--events", "-"])]
        if self._run() is not None:
            return [*SOAR, "resume", *flags]
        return [*SOAR, "run", str(self.ledgers / "plan.json"), *flags]

    def parts(self, pid: int) -> dict[str, psutil.Process]:
        return _tree_of_a_command(pid)

    def told(self, out: bytes) -> list[Told]:
        if out.startswith(b"{\n"):
            record = json.loads(out)
            return [
                Told(subgoal["id"], subgoal["outcome"], subgoal["output"])
                for subgoal in record["subgoals"]
            ]
        return [
            Told(event["subgoal"], event["outcome"])
            for event in _objects(out)
            if event["type"] == "subgoal.finished"
        ]

    def journal(self) -> Path | None:
        run = self._run()
        journal = run.parent / "journal.db" if run else None
        return journal if journal and journal.exists() else None

    def _run(self) -> Path | None:
        return next((self.kept / ".aurora/runs").glob("*/run.json"), None)
