"""opencode: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, OutputLine, SpawnTask, get_tool, spawn
from aurora_spawner.tools import Answer

STEP = {"type": "step_start", "sessionID": "s1", "part": {}}
DONE = {"type": "step_finish", "sessionID": "s1", "part": {"tokens": {}, "cost": 0}}


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
    assert answer == Answer("The answer.")
    assert notices == [OutputLine("stdout", said) for said in ("Looking.", "The ", "answer.")]


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
    assert answer == Answer("half", said, FailureType(kind))


@pytest.mark.parametrize(
    "line",
    ["not json", "[]", "{}", '{"type": 1}', '{"type": "text"}', '{"type": "text", "part": 3}'],
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    assert read(STEP, line, text("Fine."), line)[1] == Answer("Fine.")


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
