"""Gemini CLI: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, OutputLine, SpawnTask, get_tool, spawn
from aurora_spawner.detection import Retrying
from aurora_spawner.tools import Answer, Facts, Worked

INIT = {"type": "init", "session_id": "4da9", "model": "gemini-pro"}
ASKED = {"type": "message", "role": "user", "content": "question"}
TOOL = {
    "type": "tool_use",
    "tool_id": "t1",
    "tool_name": "list_directory",
    "parameters": {"dir_path": "."},
}
RAN = {"type": "tool_result", "tool_id": "t1", "status": "success", "output": "Empty."}
DONE = {
    "type": "result",
    "status": "success",
    "stats": {"total_tokens": 24, "input_tokens": 20, "output_tokens": 4, "cached": 5},
}
BEGUN = Facts(session_id="4da9", model="gemini-pro")
FACTS = Facts(tokens_in=20, tokens_out=4, session_id="4da9", model="gemini-pro")
RETRY = "Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {}"


def message(text: object) -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": text, "delta": True}


def failure(text: object) -> dict[str, object]:
    return {"type": "result", "status": "error", "error": {"type": "unknown", "message": text}}


def read(*events: object, stderr: str = "", exit_code: int = 0) -> tuple[list[object], Answer]:
    """The notices and the answer for these lines of output."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    reader = get_tool("gemini").reader()
    notices = [notice for line in lines for notice in reader.line(line)]
    return notices, reader.answer(exit_code, "\n".join(lines), stderr)


def test_what_is_said_after_the_last_tool_is_the_answer() -> None:
    """The pieces that follow the last call of a tool are the answer; the question is not."""
    notices, answer = read(
        INIT, ASKED, message("Looking."), TOOL, RAN, message("The "), message("answer."), DONE
    )
    assert answer == Answer("The answer.", facts=FACTS)
    looking, the, rest = (OutputLine("stdout", said) for said in ("Looking.", "The ", "answer."))
    assert notices == [looking, Worked(1), Worked(0), the, rest]


@pytest.mark.parametrize(
    ("exit_code", "said", "kind"),
    [
        (173, "[API Error: Resource has been exhausted]", FailureType.RATE_LIMIT),
        (145, "[API Error: quota]", FailureType.AUTH),
        (1, "[API Error: terminated]", FailureType.CONNECTION),
        (144, "The input token count exceeds the limit", FailureType.INVALID_REQUEST),
        (247, "odd", FailureType.INFERENCE),
        (41, "Invalid auth method selected.", FailureType.AUTH),
        (55, "not running in a trusted directory", FailureType.FORBIDDEN),
        (1, "Rate limit reached", FailureType.RATE_LIMIT),
        (1, "odd", FailureType.CRASH),
    ],
)
def test_the_exit_code_tells_the_kind(exit_code: int, said: str, kind: FailureType) -> None:
    """The lower bits of an HTTP status, or a code of its own, tell the kind before the words."""
    expected = Answer("", said, kind, BEGUN)
    assert read(INIT, failure(said), exit_code=exit_code)[1] == expected
    assert read(INIT, stderr=f"{said}\n", exit_code=exit_code)[1] == expected


def test_an_error_is_the_truth() -> None:
    """A result with an error is a failure, whatever was said before it and the exit code."""
    answer = read(INIT, message("half"), failure("boom"), exit_code=0)[1]
    assert (answer.text, answer.error) == ("half", "boom")


def test_a_failure_without_words() -> None:
    """A silent failure still says that it failed."""
    assert read(exit_code=1)[1].error == "gemini failed"


def test_without_a_result_it_has_failed() -> None:
    """A stream that breaks off before its result is a failure, even with exit code 0."""
    assert read(INIT, message("half"))[1] == Answer(
        "half", "gemini ended without a result", facts=BEGUN
    )


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        (RETRY, Retrying("gemini retries 1/10: status 429", FailureType.RATE_LIMIT)),
        (
            RETRY.format('{"retryDelay": "34s"}'),
            Retrying("gemini retries 1/10: status 429", FailureType.RATE_LIMIT, 34.0),
        ),
        (
            "Attempt 3 failed with status 503. Retrying with backoff...",
            Retrying("gemini retries 3/10: status 503", FailureType.INFERENCE),
        ),
        (
            "Attempt 2 failed with 5xx error. Retrying with backoff... Error: 502",
            Retrying("gemini retries 2/10: status 5xx", FailureType.INFERENCE),
        ),
        (
            "Attempt 1 failed with 429 error (no Retry-After header). Retrying with backoff... E",
            Retrying("gemini retries 1/10: status 429", FailureType.RATE_LIMIT),
        ),
        (
            "Attempt 1 failed. Retrying with backoff... Error: TypeError: fetch failed",
            Retrying("gemini retries 1/10: Error: TypeError: fetch failed", FailureType.CONNECTION),
        ),
    ],
)
def test_a_retry_is_told_at_once(line: str, notice: Retrying) -> None:
    """A retry inside the CLI is told by a line on standard error."""
    assert list(get_tool("gemini").reader().aside(line)) == [notice]


@pytest.mark.parametrize(
    "line", ["", "    at Models.generate", "it said: Attempt 1 failed with status 429. Retrying"]
)
def test_other_lines_of_standard_error(line: str) -> None:
    """What only quotes such a line means nothing."""
    assert get_tool("gemini").reader().aside(line) == ()


@pytest.mark.parametrize(
    "line", ["", "not json", "[]", "{}", '{"type": "message"}', '{"type": "result", "stats": 3}']
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    notices, answer = read(line, INIT, message("Fine."), DONE)
    assert (notices, answer) == ([OutputLine("stdout", "Fine.")], Answer("Fine.", facts=FACTS))


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_run(fake_path) -> None:
    """Run for real: the answer, and the variable that keeps it from starting itself twice."""
    cli = fake_path.cli("gemini", "\n".join(map(json.dumps, (INIT, message("Fine."), DONE))))
    ended = await spawn(SpawnTask("q", env={"EXTRA": "1"}), tool="gemini")
    assert (ended.success, ended.output, ended.session_id) == (True, "Fine.", "4da9")
    assert (cli.env["GEMINI_CLI_NO_RELAUNCH"], cli.env["EXTRA"]) == ("true", "1")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_failure(fake_path) -> None:
    """Run for real: the failure with its odd exit code."""
    fake_path.cli("gemini", json.dumps(failure("Quota exceeded")), exit_code=173)
    ended = await spawn(SpawnTask("q"), tool="gemini")
    assert (ended.error, ended.exit_code) == ("Quota exceeded", 173)
    assert ended.failure_type is FailureType.RATE_LIMIT


def test_an_error_that_its_result_does_not_repeat() -> None:
    """Where the result gives no reason, the error event before it does, not what a terminal is
    told."""
    event = {"type": "error", "message": "Model stream ended without a finish reason."}
    result = {"type": "result", "status": "error", "stats": {}}
    _, answer = read(INIT, event, result, stderr="Warning: 256-color support not detected.")
    assert answer.error == "Model stream ended without a finish reason."
    assert answer.failure_type == FailureType.INFERENCE
