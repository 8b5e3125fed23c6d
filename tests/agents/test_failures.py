"""Each agent CLI in each way in which a provider fails it: what is said of it, and how soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from aurora_spawner import FailureType, Policy, SpawnResult, SpawnTask, spawn

from .clis import CLAUDE, CLIS, CODEX, GEMINI, OPENCODE, Cli
from .model_server import Act, Cut, Failure, Hang, ModelServer, Refuse, Say
from .workplace import Workplace

Serve = Callable[[Callable[[object], Act]], ModelServer]

# Seconds for an attempt that somebody else must end: a CLI that retries or waits for minutes.
SHORT = 20.0
# For one that ends by itself, on a busy machine.
LONG = 100.0

NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Mode:
    """One way to fail.

    Attributes:
        name: For the table.
        act: What the server does with every request; None: there is no server.
        kind: The kind of failure that it must be known as.
        patient: The CLIs that would go on for minutes, each retry of theirs a warning: their time
            is over then, and the kind is known all the same.
        silent: Those of them that do not tell what they retry for.
        retry_after: What the result says.
    """

    name: str
    act: Act | None
    kind: FailureType
    patient: tuple[Cli, ...] = ()
    silent: tuple[Cli, ...] = ()
    retry_after: float | None = None


MODES = (
    Mode("429", Refuse(Failure.RATE_LIMIT), FailureType.RATE_LIMIT),
    Mode(
        "429, Retry-After 2",
        Refuse(Failure.RATE_LIMIT, retry_after=2),
        FailureType.RATE_LIMIT,
        retry_after=2,
    ),
    Mode("quota", Refuse(Failure.QUOTA), FailureType.RATE_LIMIT),
    Mode("401", Refuse(Failure.AUTH), FailureType.AUTH),
    Mode(
        "500",
        Refuse(Failure.SERVER),
        FailureType.INFERENCE,
        patient=(CLAUDE, CODEX, GEMINI, OPENCODE),
    ),
    Mode(
        "overloaded",
        Refuse(Failure.OVERLOADED),
        FailureType.INFERENCE,
        patient=(CLAUDE, GEMINI, OPENCODE),
    ),
    Mode("too long", Refuse(Failure.TOO_LONG), FailureType.INVALID_REQUEST),
    Mode("cut", Cut(), FailureType.CONNECTION, patient=(OPENCODE,)),
    Mode(
        "no network",
        None,
        FailureType.CONNECTION,
        patient=(CLAUDE, CODEX, GEMINI, OPENCODE),
        silent=(CODEX, GEMINI),
    ),
    Mode("hang", Hang(), FailureType.TIMEOUT, patient=CLIS, silent=CLIS),
)


def ask(cli: Cli, url: str, workplace: Workplace, timeout: float, policy: Policy) -> SpawnResult:
    """One attempt, in a home of its own."""
    task = SpawnTask(
        "TASK-1: say fine answer",
        tool=cli.name,
        model=cli.model,
        env=cli.environment(url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=timeout,
        policy=policy,
    )
    return asyncio.run(spawn(task))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_how_it_fails(
    cli: Cli,
    mode: Mode,
    serve: Serve,
    workplace: Workplace,
    record_property: Callable[[str, object], None],
) -> None:
    """The kind of failure is the provider's, whatever the CLI makes of it, and nothing is left."""
    url = NOWHERE if mode.act is None else serve(lambda asked: mode.act).url
    timeout = SHORT if cli in mode.patient else LONG
    result = ask(cli, url, workplace, timeout, Policy(idle_limit=None))
    record_property("known", (cli.name, mode.name, result.detection_time or result.execution_time))
    assert not result.success
    silent = cli in mode.silent
    assert result.failure_type == (FailureType.TIMEOUT if silent else mode.kind), result.error
    assert result.error
    assert workplace.left_after(seconds=0) == []


@pytest.mark.parametrize("pause", [0.0, 0.4], ids=["ok", "slow"])
def test_how_it_answers(
    cli: Cli,
    pause: float,
    serve: Serve,
    workplace: Workplace,
    record_property: Callable[[str, object], None],
) -> None:
    """An answer comes back whole, however slowly it was written, with tokens and cost."""
    server = serve(lambda asked: Say("a fine answer of seven words indeed", pause))
    result = ask(cli, server.url, workplace, LONG, Policy(idle_limit=None))
    record_property(
        "known", (cli.name, "slow answer" if pause else "answer", result.execution_time)
    )
    assert result.success, result.error
    assert result.output.strip() == "a fine answer of seven words indeed"
    assert (result.tokens_in, result.tokens_out) == (40, 8)
    assert result.session_id
    assert (result.cost_usd is not None) == (cli is CLAUDE)


@pytest.mark.parametrize("mode", [MODES[0], MODES[4]], ids=lambda mode: mode.name)
def test_without_retries_of_its_own(
    cli: Cli, mode: Mode, serve: Serve, workplace: Workplace
) -> None:
    """Where the policy wants no inner retries, the first notice of one is the end."""
    server = serve(lambda asked: mode.act)
    policy = Policy(idle_limit=None, inner_retries=False)
    result = ask(cli, server.url, workplace, LONG, policy)
    assert result.failure_type is mode.kind, result.error
    assert result.execution_time < LONG


def test_a_long_prompt(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """F63: a prompt of 1 MB reaches the model whole, through no argument."""
    server = serve(lambda asked: Say("read"))
    words = "0123456789abcdef" * 62_000
    task = SpawnTask(
        f"TASK-1 {words} the end of it",
        tool=cli.name,
        model=cli.model,
        env=cli.environment(server.url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=LONG,
        policy=Policy(idle_limit=None),
    )
    # Whether the answer comes back is another matter: gemini repeats the prompt, and leaves before
    # all that is read.
    asyncio.run(spawn(task))
    assert any(f"{words} the end of it" in record.asked.text for record in server.records)
