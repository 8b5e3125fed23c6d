"""opencode: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, OutputLine, SpawnTask, get_tool, spawn
from aurora_spawner.detection import Retrying
from aurora_spawner.tools import Answer, Facts, Worked

STEP = {"type": "step_start", "sessionID": "s1", "part": {}}
TOKENS = {"total": 30, "input": 15, "output": 4, "reasoning": 1, "cache": {"read": 5, "write": 5}}
DONE = {"type": "step_finish", "sessionID": "s1", "part": {"tokens": TOKENS, "cost": 0.25}}
BEGUN = Facts(session_id="s1")
LOG = (
    'timestamp=2026-01-01T00:00:00.000Z level=ERROR run=7c2c9eb1 message="stream error" '
    "providerID=fake modelID=m session.id=s1 small=false agent=build mode=primary "
    'error.error="AI_APICallError: {}"'
)


def text(said: object) -> dict[str, object]:
    return {"type": "text", "sessionID": "s1", "part": {"type": "text", "text": said}}


def error(name: object, **data: object) -> dict[str, object]:
    return {"type": "error", "sessionID": "s1", "error": {"name": name, "data": data}}


def read(*events: object, exit_code: int = 0) -> tuple[list[object], Answer]:
    """The notices and the answer for these lines of output."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    reader = get_tool("opencode").reader()
    notices = [notice for line in lines for notice in reader.line(line)]
    return notices, reader.answer(exit_code, "\n".join(lines), "")


def test_the_last_step_is_the_answer() -> None:
    """All texts of the last step are the answer; those of earlier steps are only shown."""
    notices, answer = read(STEP, text("Looking."), DONE, STEP, text("The "), text("answer."), DONE)
    assert answer == Answer("The answer.", facts=Facts(0.5, 50, 10, "s1"))
    looking, the, rest = (OutputLine("stdout", said) for said in ("Looking.", "The ", "answer."))
    assert notices == [looking, Worked(), the, rest, Worked()]


def test_a_step_that_only_begins_is_no_work() -> None:
    """A step that a provider breaks off begins again and again: what was done is told by its tools
    and by its end."""
    tool = {"type": "tool_use", "sessionID": "s1", "part": {"type": "tool"}}
    assert read(STEP, STEP)[0] == []
    assert read(STEP, tool)[0] == [Worked()]
    assert read(STEP, DONE)[0] == [Worked()]


def test_a_price_it_does_not_know() -> None:
    """A cost of 0 is that of a model without a price: unknown."""
    free = {"type": "step_finish", "part": {"tokens": TOKENS, "cost": 0}}
    assert read(STEP, text("Fine."), free)[1].facts.cost_usd is None


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Rate limit reached", FailureType.RATE_LIMIT),
        ("Too Many Requests", FailureType.RATE_LIMIT),
        ("Overloaded", FailureType.INFERENCE),
    ],
)
def test_a_retry_is_told_by_the_log(said: str, kind: FailureType) -> None:
    """A line of its log tells of a retry long before the CLI says anything else."""
    (notice,) = get_tool("opencode").reader().aside(LOG.format(said))
    assert notice == Retrying(f"opencode retries: AI_APICallError: {said}", kind)


def test_a_retry_of_an_answer_that_was_broken_off() -> None:
    """A failure that came in the middle of an answer is logged in another form."""
    line = LOG.replace(
        'error.error="AI_APICallError: {}"',
        'error.error.message="Rate limit reached" error.error.type=requests error.error.param=null',
    )
    (notice,) = get_tool("opencode").reader().aside(line)
    assert notice == Retrying("opencode retries: Rate limit reached", FailureType.RATE_LIMIT)


@pytest.mark.parametrize(
    "line",
    ["AI_APICallError: Rate limit reached", LOG.format("authentication_error"), "", "x" * 99],
)
def test_other_lines_of_standard_error(line: str) -> None:
    """What is no such line, or an error that it does not retry, means nothing."""
    assert get_tool("opencode").reader().aside(line) == ()


@pytest.mark.parametrize(
    ("event", "said", "kind"),
    [
        (error("APIError", statusCode=401, isRetryable=False), "APIError", FailureType.AUTH),
        (
            error("APIError", statusCode=429, message="Slow down"),
            "Slow down",
            FailureType.RATE_LIMIT,
        ),
        (error("ContextOverflowError"), "ContextOverflowError", FailureType.INVALID_REQUEST),
        (
            error("UnknownError", message="Model not found: x"),
            "Model not found: x",
            "invalid_model",
        ),
        (error(None), "opencode failed", FailureType.CRASH),
    ],
)
def test_an_error_is_the_failure(event: object, said: str, kind: str) -> None:
    """An error event fails the attempt with its words, and its status tells the kind before
    them, whatever the exit code."""
    _, answer = read(STEP, text("half"), event)
    assert answer == Answer("half", said, FailureType(kind), BEGUN)


@pytest.mark.parametrize(
    "line",
    ["not json", "[]", "{}", '{"type": 1}', '{"type": "text"}', '{"type": "text", "part": 3}'],
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    assert read(STEP, line, text("Fine."), line)[1] == Answer("Fine.", facts=BEGUN)


@pytest.mark.parametrize("line", ['{"type": "error"}', '{"type": "error", "error": "text"}'])
def test_an_odd_error_is_an_error(line: str) -> None:
    """An error of another shape than expected is a failure all the same."""
    assert read(line)[1].error == "opencode failed"


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_run(fake_path) -> None:
    """Run for real: the answer."""
    fake_path.cli("opencode", "\n".join(map(json.dumps, (STEP, text("The answer."), DONE))))
    ended = await spawn(SpawnTask("q"), tool="opencode")
    assert (ended.success, ended.output, ended.tool) == (True, "The answer.", "opencode")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_failure(fake_path) -> None:
    """Run for real: an error event with exit code 0 is a failed result."""
    fake_path.cli("opencode", json.dumps(error("APIError", statusCode=401)))
    ended = await spawn(SpawnTask("q"), tool="opencode")
    assert (ended.success, ended.exit_code, ended.error) == (False, 0, "APIError")
    assert ended.failure_type is FailureType.AUTH
