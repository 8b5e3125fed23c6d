"""An agent that is ended while a tool of its own runs takes everything with it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aurora_spawner import FailureType, Policy, SpawnTask, spawn

from .clis import CLAUDE, CODEX, GEMINI, OPENCODE, Cli
from .model_server import Act, Asked, Call, ModelServer, Say
from .workplace import Workplace

# Those that run tools at all.
WITH_TOOLS = (CLAUDE, CODEX, GEMINI, OPENCODE)

# Seconds, a net.
PATIENCE = 100.0

# A shell of the agent's, with a child in a session of its own beside it.
COMMAND = "touch begun; setsid sleep 3000 & sleep 3000"

with_tools = pytest.mark.parametrize("cli", WITH_TOOLS, ids=lambda cli: cli.name)

Serve = Callable[[Callable[[Asked], Act]], ModelServer]


def at_work(asked: Asked) -> Act:
    """The model wants a command to be run, and then has nothing more to say."""
    # Some ask for a title first, without offering any tool.
    return Call(COMMAND) if asked.shell is not None and asked.turn == 0 else Say("done")


def task(cli: Cli, server: ModelServer, workplace: Workplace) -> SpawnTask:
    return SpawnTask(
        "TASK-1: run it",
        tool=cli.name,
        model=cli.model,
        env=cli.environment(server.url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=PATIENCE,
        permissions="full-access",
        policy=Policy(idle_limit=None, grace=2),
    )


async def begun(workplace: Workplace) -> None:
    """Wait until the agent's command runs."""
    deadline = time.monotonic() + PATIENCE
    while not (workplace.work / "begun").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


@with_tools
def test_cancelled_with_a_tool_running(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """F21, F25: a cancellation ends the agent, its shell and what that put aside, before it
    returns."""
    server = serve(at_work)

    async def main() -> None:
        running = asyncio.create_task(spawn(task(cli, server, workplace)))
        await begun(workplace)
        assert len(workplace.left()) > 1
        running.cancel()
        await asyncio.wait([running])
        assert workplace.left() == []

    asyncio.run(main())


@with_tools
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_the_program_is_ended(
    cli: Cli, how: signal.Signals, serve: Serve, workplace: Workplace
) -> None:
    """F26, F27: when `aurora-spawn` gets TERM or is killed while an agent's tool runs, nothing is
    left."""
    server = serve(at_work)
    program = [sys.executable, "-P", "-c", "from aurora_spawner.cli import main; main()"]
    model = [f"--model={cli.model}"] if cli.model else []
    options = [f"--tool={cli.name}", *model, "--permissions=full-access"]
    running = subprocess.Popen(
        [*program, *options, "{}", ":::", "TASK-1: run it"],
        env={
            **os.environ,
            **cli.environment(server.url, workplace.home),
            **workplace.variables,
        },
        cwd=workplace.work,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        asyncio.run(begun(workplace))
        running.send_signal(how)
        running.communicate(timeout=PATIENCE)
    finally:
        running.kill()
        running.communicate()
    assert workplace.left_after(seconds=5) == []


@with_tools
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_the_agent_is_ended_by_somebody_else(
    cli: Cli, how: signal.Signals, serve: Serve, workplace: Workplace
) -> None:
    """F17, F21: when somebody else ends the CLI while its tool runs, out of memory for example,
    that is a failure, and its shell and what that put aside go with it."""
    server = serve(at_work)

    async def main() -> None:
        running = asyncio.create_task(spawn(task(cli, server, workplace)))
        await begun(workplace)
        for pid in workplace.left():
            if parent_of(pid) == os.getpid():
                os.kill(pid, how)
        result = await running
        assert not result.success
        if how is signal.SIGKILL:
            assert (result.error, result.failure_type) == ("killed by SIGKILL", FailureType.CRASH)
        assert workplace.left() == []

    asyncio.run(main())


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[1])


def test_what_is_left_can_be_seen(workplace: Workplace) -> None:
    """The check of the other tests sees a process by its folder, and one by its environment."""
    mark = workplace.variables
    scrubbed = subprocess.Popen(["sleep", "100"], cwd=workplace.work, env={})
    elsewhere = subprocess.Popen(["sleep", "100"], cwd=Path("/"), env={**os.environ, **mark})
    try:
        assert set(workplace.left()) == {scrubbed.pid, elsewhere.pid}
    finally:
        for process in (scrubbed, elsewhere):
            process.kill()
            process.wait()
    assert workplace.left() == []
