"""Silence of a CLI that streams its work: what is a stall and what is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aurora_spawner import FailureType, Policy, SpawnResult, SpawnTask, spawn

from .clis import CLAUDE, GEMINI, Cli
from .model_server import Act, Asked, Call, ModelServer, Say
from .workplace import Workplace

Serve = Callable[[Callable[[Asked], Act]], ModelServer]

# Seconds: a net for an attempt, and the silence that is too long. The start has a limit of its own.
LONG = 100.0
IDLE = 10.0

that_streams = pytest.mark.parametrize("cli", [CLAUDE, GEMINI], ids=lambda cli: cli.name)


def ask(cli: Cli, server: ModelServer, workplace: Workplace) -> SpawnResult:
    task = SpawnTask(
        "TASK-1: think",
        tool=cli.name,
        model=cli.model,
        env=cli.environment(server.url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=LONG,
        permissions="full-access",
        policy=Policy(timeout=LONG, idle_limit=IDLE, first_output_limit=LONG),
    )
    return asyncio.run(spawn(task))


@that_streams
def test_silent_in_the_middle(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """F19: an answer that stops in the middle is a stall, and the reason names the silence."""
    server = serve(lambda asked: Say("this takes for ever", pause=1000))
    result = ask(cli, server, workplace)
    assert result.failure_type is FailureType.TIMEOUT
    assert result.termination_reason == f"Early detection: no output for {IDLE:g}s"
    assert workplace.left_after(seconds=0) == []


@that_streams
def test_a_slow_answer_is_no_stall(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """An answer that takes longer than the idle limit comes back, as long as it comes in
    pieces."""
    said = " ".join(f"word{number}" for number in range(16))
    result = ask(cli, serve(lambda asked: Say(said, pause=1.0)), workplace)
    assert result.success, result.error
    assert result.output == said
    assert result.execution_time > IDLE


@that_streams
def test_a_tool_at_work_is_no_stall(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """A tool of the agent's own may be silent for longer than the idle limit."""

    def script(asked: Asked) -> Act:
        at_work = asked.shell is not None and asked.turn == 0
        return Call(f"sleep {IDLE + 4:g}") if at_work else Say("done")

    result = ask(cli, serve(script), workplace)
    assert result.success, result.error
    assert result.output == "done"
    assert result.execution_time > IDLE
