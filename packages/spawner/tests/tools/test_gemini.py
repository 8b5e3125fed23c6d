"""Gemini CLI: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, SpawnTask, get_tool, spawn
from aurora_spawner.tools import Answer

ANSWER = json.dumps({"session_id": "1", "response": "The answer.", "stats": {}}, indent=2)


def failure(message: str, code: object = None) -> str:
    error = {"type": "Error", "message": message, "code": code}
    return json.dumps({"session_id": "1", "error": error}, indent=2)


def read(stdout: str, stderr: str = "", exit_code: int = 0) -> Answer:
    return get_tool("gemini").reader().answer(exit_code, stdout, stderr)


def test_the_response_is_the_answer() -> None:
    """The answer is the document's `response`."""
    assert read(ANSWER) == Answer("The answer.")


@pytest.mark.parametrize(
    ("exit_code", "message", "code", "kind"),
    [
        (173, "Too many requests", 429, FailureType.RATE_LIMIT),
        (145, "Error when talking to Gemini API", 401, FailureType.AUTH),
        (144, "The input token count exceeds the limit", 400, FailureType.INVALID_REQUEST),
        (1, "Rate limit reached", None, FailureType.RATE_LIMIT),
        (1, "odd", "ECONNREFUSED", FailureType.CRASH),
    ],
)
def test_a_failure_is_told_on_standard_error(
    exit_code: int, message: str, code: object, kind: FailureType
) -> None:
    """A failure is a JSON document on standard error; its code tells the kind before its words,
    and the odd exit code tells nothing."""
    assert read("", failure(message, code), exit_code) == Answer("", message, kind)


def test_log_lines_before_the_failure() -> None:
    """Log lines that stand before the document do not hide it."""
    stderr = "Attempt 1 failed with status 429. Retrying with backoff...\n" + failure("Done", 429)
    assert read("", stderr, 173) == Answer("", "Done", FailureType.RATE_LIMIT)


@pytest.mark.parametrize("stderr", ["plain trouble\n", "  plain trouble"])
def test_a_failure_in_plain_words(stderr: str) -> None:
    """Where there is no document the words on standard error are the failure."""
    assert read("", stderr, 1).error == "plain trouble"


def test_a_failure_without_words() -> None:
    """A silent failure still says that it failed."""
    assert read("", "", 1).error == "gemini failed"


@pytest.mark.parametrize("stdout", ["", "not json", "[]", "{}", '{"response": null}'])
def test_no_response_is_no_answer(stdout: str) -> None:
    """Output of another shape is an empty answer, which the attempt then counts as none."""
    assert read(stdout) == Answer("")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_run(fake_path) -> None:
    """Run for real: the answer, and the variable that keeps it from starting itself twice."""
    cli = fake_path.cli("gemini", ANSWER)
    ended = await spawn(SpawnTask("q", env={"EXTRA": "1"}), tool="gemini")
    assert (ended.success, ended.output) == (True, "The answer.")
    assert (cli.env["GEMINI_CLI_NO_RELAUNCH"], cli.env["EXTRA"]) == ("true", "1")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_failure(fake_path) -> None:
    """Run for real: the failure on standard error with its odd exit code."""
    stderr = "Attempt 1 failed with status 429. Retrying with backoff...\n"
    fake_path.cli("gemini", stderr=stderr + failure("Quota exceeded", 429), exit_code=173)
    ended = await spawn(SpawnTask("q"), tool="gemini")
    assert (ended.error, ended.exit_code) == ("Quota exceeded", 173)
    assert ended.failure_type is FailureType.RATE_LIMIT
    assert ended.warnings == ("standard error mentions rate limit",)
