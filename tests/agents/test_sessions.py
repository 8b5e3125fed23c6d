"""An agent that has worked and is refused then: what it did is not paid for a second time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from aurora_spawner import (
    Policy,
    RetryPolicy,
    SpawnResult,
    SpawnTask,
    spawn_with_retry_and_fallback,
)

from .clis import CLAUDE, CODEX, GEMINI, OPENCODE, Cli
from .model_server import Act, Asked, Call, Failure, ModelServer, Refuse, Say
from .workplace import Workplace

Serve = Callable[[Callable[[Asked], Act]], ModelServer]

# The turn, from 0, at which the provider refuses.
LATE = 19

# Seconds, a net for an attempt.
LONG = 100.0


class RefusedLate:
    """The agent runs a command each turn; the last but for the answer is refused for a while."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, asked: Asked) -> Act:
        if asked.shell is None:
            return Say("a title")
        if asked.turn < LATE:
            return Call(f"echo {asked.turn}")
        if self._left:
            self._left -= 1
            return Refuse(Failure.RATE_LIMIT, retry_after=1)
        return Say("all is done")


@pytest.mark.parametrize("inner_retries", [True, False], ids=["inner", "ours"])
@pytest.mark.parametrize("cli", [CLAUDE, CODEX, GEMINI, OPENCODE], ids=lambda cli: cli.name)
def test_a_limit_on_the_twentieth_turn(
    cli: Cli, inner_retries: bool, serve: Serve, workplace: Workplace
) -> None:
    """A limit on turn 20 is survived with turns 1 to 19 paid for once, by the CLI's own retries or
    by ours, which go on in its session."""
    server = serve(RefusedLate(times=1))
    task = SpawnTask(
        "TASK-1: do twenty things",
        tool=cli.name,
        model=cli.model,
        env=cli.environment(server.url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=LONG,
        permissions="full-access",
        policy=Policy(
            timeout=LONG,
            idle_limit=None,
            inner_retries=inner_retries,
            retry=RetryPolicy(base=1.0),
        ),
    )
    result: SpawnResult = asyncio.run(spawn_with_retry_and_fallback(task, fallback_to_llm=False))
    assert result.success, result.error
    assert result.output.strip() == "all is done"
    works = Counter(r.asked.turn for r in server.records if isinstance(r.act, Call))
    assert works == Counter(range(LATE))
    answers = [r for r in server.records if r.asked.shell and isinstance(r.act, Say)]
    assert len(answers) == 1
    assert answers[0].asked.turn >= LATE
    assert result.retry_count == (0 if inner_retries else 1)
    assert workplace.left_after(seconds=0) == []
