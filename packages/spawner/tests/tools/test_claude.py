"""Claude Code: what it prints, and what that means."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aurora_spawner import FailureType, OutputLine, SpawnTask, get_tool, spawn
from aurora_spawner.detection import Retrying
from aurora_spawner.tools import Answer, Facts, Worked


def result(**fields: object) -> dict[str, object]:
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "The answer.",
        "session_id": "0b5c",
        "num_turns": 1,
        "total_cost_usd": 0.01,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 100,
            "output_tokens": 4,
        },
        **fields,
    }


INIT = {
    "type": "system",
    "subtype": "init",
    "session_id": "0b5c",
    "model": "opus",
    "claude_code_version": "2.1.197",
}
BEGUN = Facts(session_id="0b5c", model="opus", tool_version="2.1.197")
FACTS = replace(BEGUN, cost_usd=0.01, tokens_in=123, tokens_out=4)
RETRY = {
    "type": "system",
    "subtype": "api_retry",
    "attempt": 1,
    "max_retries": 10,
    "retry_delay_ms": 511.88,
    "error_status": 429,
    "error": "rate_limit",
}


def assistant(*content: object) -> dict[str, object]:
    return {"type": "assistant", "message": {"role": "assistant", "content": list(content)}}


def tool_result(call: str) -> dict[str, object]:
    part = {"type": "tool_result", "tool_use_id": call, "content": "done"}
    return {"type": "user", "message": {"role": "user", "content": [part]}}


def read(*events: object, exit_code: int = 0, stderr: str = "") -> tuple[list[object], Answer]:
    """The notices and the answer for these lines of output."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    reader = get_tool("claude").reader()
    notices = [notice for line in lines for notice in reader.line(line)]
    return notices, reader.answer(exit_code, "\n".join(lines), stderr)


def test_the_answer_is_the_results() -> None:
    """The answer is what the last object says, not what was said on the way."""
    said = assistant({"type": "text", "text": "Looking.\nFound."}, {"type": "tool_use", "id": 1})
    notices, answer = read(INIT, said, result())
    assert answer == Answer("The answer.", facts=FACTS)
    assert notices == [OutputLine("stdout", "Looking."), OutputLine("stdout", "Found."), Worked(1)]


def test_tools_that_run() -> None:
    """From its call to its result a tool of the agent's runs; pieces of messages tell nothing."""
    calls = assistant({"type": "tool_use", "id": "a"}, {"type": "tool_use", "id": "b"})
    piece = '{"type":"stream_event","event":{"type":"message_stop"}}'
    notices, _ = read(INIT, calls, piece, *(tool_result(each) for each in ("a", "b", "c")))
    assert notices == [Worked(1), Worked(2), Worked(1), Worked(0), Worked(0)]


def test_an_error_in_a_message_is_no_work() -> None:
    """The message that the CLI itself writes when its provider refuses is not the agent's."""
    message = assistant({"type": "text", "text": "API Error: Request rejected (429)"})
    message["message"]["model"] = "<synthetic>"
    assert read(INIT, message)[0] == []


def test_what_is_told_beside_the_answer() -> None:
    """Tokens from the cache were read too; what is not told is unknown, and odd numbers are not
    told."""
    event = result(total_cost_usd=True, usage={"input_tokens": "3", "output_tokens": -1})
    assert read(event)[1].facts == Facts(session_id="0b5c")


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("API Error: Request rejected (429)", 429, FailureType.RATE_LIMIT),
        ("API Error: 529 Overloaded.", 529, FailureType.INFERENCE),
        ("Invalid API key", 401, FailureType.AUTH),
        ("API Error: Unable to connect to API (ConnectionRefused)", None, FailureType.CONNECTION),
        ("Prompt is too long", None, FailureType.INVALID_REQUEST),
        ("something odd", 403, FailureType.FORBIDDEN),
        ("Credit balance is too low", 400, FailureType.RATE_LIMIT),
        ("an error of yours", 400, FailureType.INVALID_REQUEST),
    ],
)
def test_is_error_is_the_truth(text: str, status: int | None, kind: FailureType) -> None:
    """`is_error` decides, although `subtype` says success and the exit code may be 0; the HTTP
    status tells the kind before the text does."""
    event = result(is_error=True, result=text, api_error_status=status)
    _, answer = read(INIT, event)
    assert answer == Answer(text, text, kind, FACTS)


def test_errors_beside_a_result() -> None:
    """A failure that has no result text tells its errors."""
    event = result(is_error=True, result=None, errors=["No conversation found", "bye"])
    assert read(event)[1].error == "No conversation found; bye"


@pytest.mark.parametrize(
    ("fields", "kind", "wait"),
    [
        ({}, FailureType.RATE_LIMIT, None),
        ({"retry_delay_ms": 7000}, FailureType.RATE_LIMIT, 7.0),
        ({"retry_delay_ms": None}, FailureType.RATE_LIMIT, None),
        ({"error_status": 529, "error": "overloaded"}, FailureType.INFERENCE, None),
        ({"error_status": None, "error": "rate_limit"}, FailureType.RATE_LIMIT, None),
        # No status: nobody answered.
        ({"error_status": None, "error": "unknown"}, FailureType.CONNECTION, None),
    ],
)
def test_a_retry_is_told_at_once(
    fields: dict[str, object], kind: FailureType, wait: float | None
) -> None:
    """A retry inside the CLI names its cause; only whole seconds are the provider's wish, since
    its own backoff is drawn."""
    event = {**RETRY, **fields}
    notices, answer = read(INIT, event, result())
    assert notices == [Retrying(f"claude retries 1/10: {event['error']}", kind, wait)]
    assert answer.error is None


def test_without_a_result_it_has_failed() -> None:
    """A stream that breaks off before its result is a failure, even with exit code 0."""
    _, answer = read(INIT, assistant({"type": "text", "text": "half"}))
    assert answer == Answer("", "claude ended without a result", facts=BEGUN)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "not json",
        "[]",
        "null",
        "{",
        "42",
        "{}",
        '{"type": null}',
        '{"type": ["result"]}',
        '{"type": "assistant"}',
        '{"type": "assistant", "message": "text"}',
        '{"type": "assistant", "message": {"content": "text"}}',
        '{"type": "assistant", "message": {"content": [null, 1, "x", {"text": null}]}}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:60],
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    notices, answer = read(line, result(), line)
    assert (notices, answer.text, answer.error) == ([], "The answer.", None)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_it_lies_with_a_good_exit(fake_path) -> None:
    """Run for real: exit 0 and `subtype: success` with `is_error` is a failed result."""
    event = result(is_error=True, result="API Error: Request rejected (429)", api_error_status=429)
    worked = assistant({"type": "tool_use", "id": 1})
    events = (INIT, worked, RETRY, event)
    fake_path.cli("claude", "".join(f"{json.dumps(each)}\n" for each in events))
    ended = await spawn(SpawnTask("q"), tool="claude")
    assert (ended.success, ended.exit_code, ended.failure_type) == (
        False,
        0,
        FailureType.RATE_LIMIT,
    )
    assert ended.error == "API Error: Request rejected (429)"
    assert ended.warnings == ("claude retries 1/10: rate_limit",)
    assert (ended.cost_usd, ended.tokens_in, ended.tokens_out) == (0.01, 123, 4)
    assert (ended.session_id, ended.model, ended.tool_version) == ("0b5c", "opus", "2.1.197")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_good_result_with_a_bad_exit(fake_path) -> None:
    """Run for real: an exit code that tells of a failure counts beside a good result."""
    fake_path.cli("claude", json.dumps(result()), stderr="late trouble", exit_code=1)
    ended = await spawn(SpawnTask("q"), tool="claude")
    assert (ended.success, ended.error, ended.output) == (
        False,
        "exit 1: late trouble",
        "The answer.",
    )
