"""Runs whose events a test decides, and the command as a process in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

from aurora_soar import (
    AgentOutput,
    Outcome,
    RunEvent,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
)
from aurora_soar.views import UNICODE, Board, Row, Timeline, record, summary
from aurora_soar.views.table import frame
from aurora_soar.workplaces import Changes
from aurora_spawner import (
    AttemptFinished,
    AttemptStarted,
    Event,
    OutputLine,
    SpawnResult,
)

# A busy machine is no fault of an example.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Whoever started the tests may ignore signals (nohup, a job in the background), and what is
# started here would go on ignoring them.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTSTP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class Run:
    """A run whose clock and events a test decides."""

    def __init__(self, *rows: Row, limit: int = 4, **board: Any) -> None:
        self.now = 1000.0
        self.board = Board("auth-rewrite", rows, limit=limit, started=self.now, **board)
        self.timeline = Timeline(self.board.rows, self.now)
        self.saw: Callable[[Any], None] = lambda event: None

    def happens(self, event: RunEvent) -> None:
        self.board.apply(event, self.now)
        self.timeline.apply(event, self.now)
        self.saw(event)

    def start(self, position: int) -> None:
        self.happens(SubgoalStarted(position))
        self.hear(position, AttemptStarted(1, 3))

    def hear(self, position: int, event: Event) -> None:
        self.happens(SubgoalEvent(position, event))

    def say(self, position: int, text: str) -> None:
        self.hear(position, OutputLine("stdout", text))

    def fail_attempt(self, position: int, attempt: int, error: str, seconds: float = 0) -> None:
        result = SpawnResult(False, "", error, 1, execution_time=seconds)
        self.hear(position, AttemptFinished(attempt, 3, result))

    def finish(
        self,
        position: int,
        outcome: Outcome = Outcome.OK,
        error: str | None = None,
        result: SpawnResult | None = None,
        files: Sequence[str] = (),
    ) -> None:
        """A subgoal ends; with `files` it has changed those in a worktree, on the branch `b`."""
        agent = self.board.rows[position].agent
        text = result.output if result else ""
        changes = Changes("b", "base", "commit", tuple(files), "", "") if files else None
        output = AgentOutput(position, agent, outcome, text, error, result, changes=changes)
        self.happens(SubgoalFinished(position, output))

    def ok(self, position: int, said: str = "done", **result: Any) -> None:
        """An attempt that began before succeeds, and with it the subgoal."""
        answer = SpawnResult(True, said, None, 0, **result)
        self.hear(position, AttemptFinished(1, 3, answer))
        self.finish(position, result=answer)

    def record(self, **more: Any) -> dict[str, Any]:
        """What became of everything by now."""
        known = {"run": "k3f9", "plan": "plan.toml", "exit_code": 1}
        return record(
            self.board,
            started=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=self.now - self.board.started,
            timeline=self.timeline,
            **{**known, **more},
        )

    def table(self, width: int = 79, height: int = 23) -> list[str]:
        lines = frame(self.board, self.now, width=width, height=height, glyphs=UNICODE)
        return [line.plain.rstrip() for line in lines]

    def end(self) -> list[str]:
        return [line.plain for line in summary(self.board, self.now, UNICODE)]


@pytest.fixture(scope="session")
def run_of() -> type[Run]:
    """A run of these rows, whose clock and events the test decides."""
    return Run


# A net, seconds: nothing here takes a tenth of it.
PATIENCE = 60

# What the agents of the tests are made of.
PROGRAMS = ("cat", "echo", "grep", "ls", "rm", "sh", "sleep", "touch", "tr", "wc")


class Ended(NamedTuple):
    """How the command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """Runs `aurora-soar` in a folder, with a PATH that holds `PROGRAMS` and what a test adds."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    code: str = "from aurora_soar.cli import main; main()"

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        for name in PROGRAMS:
            found = shutil.which(name)
            assert found is not None
            (self.folder / "bin" / name).symlink_to(found)

    def plan(self, text: str, name: str = "plan.toml") -> str:
        """Write a plan; returns its name."""
        (self.folder / name).write_text(dedent(text), encoding="utf-8")
        return name

    def program(self, name: str, script: str) -> None:
        """Put a shell script on PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{dedent(script)}", encoding="utf-8")
        path.chmod(0o755)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the command; both outputs are pipes."""
        environment = {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": str(self.folder / "bin"),
            **options.pop("env", {}),
        }
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", self.code, *arguments],
            env=environment,
            **{
                "cwd": self.folder,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, **options: Any) -> Ended:
        """Run the command to its end."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())

    def results(self, *arguments: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """Run a plan with `--json`: exit code and results."""
        ended = self.run("run", *arguments, "--json", **options)
        assert ended.out, ended.err
        return ended.code, json.loads(ended.out)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is true of the world outside."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    def wait_for_file(self, name: str) -> str:
        """Wait until a file of the folder has a line; returns its text."""
        path = self.folder / name
        text = ""

        def has_a_line() -> bool:
            # Read once: whoever writes it next empties it first.
            nonlocal text
            text = path.read_text() if path.exists() else ""
            return text.endswith("\n")

        self.wait_for(has_a_line)
        return text


@pytest.fixture(scope="session")
def command_in() -> type[Command]:
    """The command in a folder of a test's choice, for what runs to its end."""
    return Command


@pytest.fixture
def soar(tmp_path: Path) -> Iterator[Command]:
    """The command in an empty folder; whatever a test started is ended after it."""
    command = Command(tmp_path)
    yield command
    for process in command.started:
        # It ends its agents before itself.
        process.terminate()
        process.wait(PATIENCE)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def is_alive(pid: int) -> bool:
    """Whether a process is there and not merely unburied."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process of that id is there."""
    return is_alive
