"""Each agent CLI in each way in which a provider fails it: what is said of it, and how soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from aurora_spawner import FailureType, Policy, SpawnResult, SpawnTask, Warned, spawn

from .clis import CLAUDE, CLIS, CODEX, GEMINI, LLM, OPENCODE, Cli
from .model_server import Act, Break, Cut, Failure, Hang, ModelServer, Refuse, Say
from .workplace import Workplace

Serve = Callable[[Callable[[object], Act]], ModelServer]
Record = Callable[[str, object], None]

# Seconds, nets: for an attempt that hangs, for one whose time is to be over while its CLI retries,
# and for one that ends by itself on a busy machine.
SHORT = 20.0
WHILE = 45.0
LONG = 100.0

NOWHERE = "http://127.0.0.1:9"

FIRST_ANSWER = "a fine answer of seven words indeed"


@dataclass(frozen=True)
class Mode:
    """One way to fail.

    Attributes:
        name: For the table.
        act: What the server does with every request; None: there is no server.
        kind: The kind of failure that it must be known as.
        patient: The CLIs that would go on for minutes, or for ever, and tell of it.
        retry_after: What the result says.
    """

    name: str
    act: Act | None
    kind: FailureType
    patient: tuple[Cli, ...] = ()
    retry_after: float | None = None


MODES = (
    Mode("429", Refuse(Failure.RATE_LIMIT), FailureType.RATE_LIMIT),
    Mode(
        "429, Retry-After 2",
        Refuse(Failure.RATE_LIMIT, retry_after=2),
        FailureType.RATE_LIMIT,
        retry_after=2,
    ),
    Mode("429 in the answer", Break(Failure.RATE_LIMIT), FailureType.RATE_LIMIT),
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
    Mode(
        "overloaded in the answer",
        Break(Failure.OVERLOADED),
        FailureType.INFERENCE,
        patient=(CLAUDE, OPENCODE),
    ),
    Mode("too long", Refuse(Failure.TOO_LONG), FailureType.INVALID_REQUEST),
    Mode("cut", Cut(), FailureType.CONNECTION, patient=(OPENCODE,)),
    Mode("no network", None, FailureType.CONNECTION, patient=(CLAUDE, CODEX, GEMINI, OPENCODE)),
    Mode("hang", Hang(), FailureType.TIMEOUT),
)

# Those that tell what the provider asks for; the others only that there is a limit.
TELL_RETRY_AFTER = (CLAUDE,)

# A limit costs this many requests at most: llm's client tries three times in silence, gemini begins
# a broken answer four times, opencode asks for a title beside.
REQUESTS = {LLM: 3, GEMINI: 4, OPENCODE: 4}

GOES_ON = [(cli, mode) for mode in MODES for cli in mode.patient]
ENDS = [(cli, mode) for mode in MODES for cli in CLIS if cli not in mode.patient]
BROKEN_OFF = [(cli, mode) for cli, mode in ENDS if mode.name in ("429", "401", "cut")]


def cells(pairs: list[tuple[Cli, Mode]]) -> pytest.MarkDecorator:
    ids = [f"{cli.name}-{mode.name}" for cli, mode in pairs]
    return pytest.mark.parametrize(("cli", "mode"), pairs, ids=ids)


def question(
    cli: Cli, url: str, workplace: Workplace, timeout: float, policy: Policy, *more: str
) -> SpawnTask:
    """One question, in a home of its own."""
    return SpawnTask(
        " ".join(["TASK-1: say fine answer", *more]),
        tool=cli.name,
        model=cli.model,
        env=cli.environment(url, workplace.home) | workplace.variables,
        cwd=str(workplace.work),
        timeout=timeout,
        policy=policy,
    )


def ask(
    cli: Cli, url: str, workplace: Workplace, timeout: float = LONG, *, inner_retries: bool = True
) -> SpawnResult:
    """Put it."""
    policy = Policy(idle_limit=None, inner_retries=inner_retries)
    return asyncio.run(spawn(question(cli, url, workplace, timeout, policy)))


@cells(ENDS)
def test_how_it_fails(
    cli: Cli, mode: Mode, serve: Serve, workplace: Workplace, record_property: Record
) -> None:
    """The kind of failure is the provider's, whatever the CLI makes of it, and nothing is left."""
    server = None if mode.act is None else serve(lambda asked: mode.act)
    timeout = SHORT if mode.kind is FailureType.TIMEOUT else LONG
    result = ask(cli, server.url if server else NOWHERE, workplace, timeout)
    record_property("known", (cli.name, mode.name, result.detection_time or result.execution_time))
    assert not result.success
    assert result.failure_type == mode.kind, result.error
    assert result.error
    # gemini shows the beginning of an answer, which is taken for work.
    assert result.session_id is None or (cli is GEMINI and result.output)
    assert result.retry_after == (mode.retry_after if cli in TELL_RETRY_AFTER else None)
    if mode.kind is FailureType.RATE_LIMIT:
        assert server is not None
        assert len(server.records) <= REQUESTS.get(cli, 2)
    assert workplace.left_after(seconds=0) == []


@cells(GOES_ON)
def test_who_goes_on(
    cli: Cli, mode: Mode, serve: Serve, workplace: Workplace, record_property: Record
) -> None:
    """A CLI that tries again for minutes tells of it at once; it can be cancelled meanwhile, and
    nothing is left."""
    url = NOWHERE if mode.act is None else serve(lambda asked: mode.act).url

    async def main() -> None:
        started = time.monotonic()
        told = asyncio.Event()
        task = question(cli, url, workplace, LONG, Policy(idle_limit=None))
        running = asyncio.create_task(
            spawn(task, on_event=lambda event: told.set() if isinstance(event, Warned) else None)
        )
        knowing = asyncio.create_task(told.wait())
        await asyncio.wait([running, knowing], return_when=asyncio.FIRST_COMPLETED)
        assert told.is_set(), running.result().error
        record_property("goes on", (cli.name, mode.name, time.monotonic() - started))
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])
        assert workplace.left() == []

    asyncio.run(main())


@cells(GOES_ON + BROKEN_OFF)
def test_without_retries_of_its_own(
    cli: Cli, mode: Mode, serve: Serve, workplace: Workplace
) -> None:
    """Where the policy wants no inner retries, the first notice of one is the end, and tells its
    kind."""
    url = NOWHERE if mode.act is None else serve(lambda asked: mode.act).url
    result = ask(cli, url, workplace, inner_retries=False)
    assert result.failure_type == mode.kind, result.error
    assert result.execution_time < LONG
    assert workplace.left_after(seconds=0) == []


@pytest.mark.parametrize("cli", [CLAUDE, GEMINI, OPENCODE], ids=lambda cli: cli.name)
def test_its_time_is_over_while_it_retries(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """An attempt whose time is over while its CLI retries has failed by what that retried for."""
    server = serve(lambda asked: Refuse(Failure.SERVER))
    result = ask(cli, server.url, workplace, WHILE)
    assert result.failure_type == FailureType.INFERENCE, result.error
    assert result.termination_reason
    assert "Timeout" in result.termination_reason
    assert result.warnings


@pytest.mark.parametrize("pause", [0.0, 0.4], ids=["ok", "slow"])
def test_how_it_answers(
    cli: Cli, pause: float, serve: Serve, workplace: Workplace, record_property: Record
) -> None:
    """An answer comes back whole, however slowly it was written, with tokens and cost."""
    server = serve(lambda asked: Say(FIRST_ANSWER, pause))
    result = ask(cli, server.url, workplace)
    record_property(
        "known", (cli.name, "slow answer" if pause else "answer", result.execution_time)
    )
    assert result.success, result.error
    assert result.output.strip() == FIRST_ANSWER
    assert (result.tokens_in, result.tokens_out) == (40, 8)
    assert result.session_id
    assert (result.cost_usd is not None) == (cli is CLAUDE)


@pytest.mark.parametrize("cli", [CLAUDE, CODEX, OPENCODE], ids=lambda cli: cli.name)
def test_a_passing_failure(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """An answer that was broken off once comes back whole, and once."""
    # codex takes another model for one that is overloaded.
    trouble = Cut() if cli is CODEX else Break(Failure.OVERLOADED)
    troubles = iter([trouble])
    # opencode asks for a title beside, without offering any tool.
    server = serve(
        lambda asked: next(troubles, Say(FIRST_ANSWER)) if asked.shell else Say(FIRST_ANSWER)
    )
    task = question(cli, server.url, workplace, LONG, Policy(idle_limit=None))
    result = asyncio.run(spawn(replace(task, permissions="full-access")))
    assert result.success, result.error
    assert result.output.strip() == FIRST_ANSWER
    assert trouble in [record.act for record in server.records]


def test_a_long_prompt(cli: Cli, serve: Serve, workplace: Workplace) -> None:
    """F63: a prompt of 1 MB reaches the model whole, through no argument."""
    server = serve(lambda asked: Say("read"))
    words = "0123456789abcdef" * 62_000
    task = question(
        cli, server.url, workplace, LONG, Policy(idle_limit=None), words, "the end of it"
    )
    result = asyncio.run(spawn(task))
    assert any(f"{words} the end of it" in record.asked.text for record in server.records)
    # gemini repeats the prompt, and leaves before all that is read: its answer may be lost.
    assert result.success or cli is GEMINI, result.error
