"""llm: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, SpawnTask, get_tool, spawn
from aurora_spawner.tools import Answer, Facts

RESPONSE = {
    "id": "01m8",
    "model": "fake",
    "conversation_id": "01m9",
    "input_tokens": 20,
    "output_tokens": 4,
    "prompt": "Write about Error: Error code: 429",
    "response": "The answer.",
}
SAID = json.dumps([RESPONSE], indent=2)
FACTS = Facts(tokens_in=20, tokens_out=4, session_id="01m9", model="fake")


def read(stdout: str, stderr: str = "", exit_code: int = 0) -> Answer:
    return get_tool("llm").reader().answer(exit_code, stdout, stderr)


def test_the_response_is_the_answer() -> None:
    """The answer is the response of the document; its conversation is the session."""
    assert read(SAID) == Answer("The answer.", facts=FACTS)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Error code: 429 - Rate limit reached", FailureType.RATE_LIMIT),
        ("Error code: 401 - {'error': 'who?'}", FailureType.AUTH),
        ("Error code: 500 - boom", FailureType.INFERENCE),
        ("Error code: 404 - model gone", FailureType.NOT_FOUND),
        ("Connection error.", FailureType.CONNECTION),
        ("'Unknown model: x'", FailureType.INVALID_MODEL),
        ("No key found - set the OPENAI_API_KEY environment variable", FailureType.AUTH),
    ],
)
def test_an_error_is_the_failure(words: str, kind: FailureType) -> None:
    """With exit 1 the line `Error: ...` is the failure, whatever was logged before it; a status in
    it tells the kind before its words."""
    assert read("", f"a warning\nError: {words}\n", 1) == Answer("", words, kind)


@pytest.mark.parametrize("stderr", ["Error: Error code: 429 - x", "", "said Error: 429"])
def test_f12_an_answer_about_errors(stderr: str) -> None:
    """F12: with exit 0 an answer is an answer, whatever it and standard error talk about."""
    about = json.dumps([{"response": "Error: Error code: 429 - Rate limit reached"}])
    assert read(about, stderr).error is None


def test_only_a_line_of_its_own_is_the_error() -> None:
    """Words that only quote an error are none; then the exit code says that it failed."""
    assert read("", "it said Error: Error code: 429", 1).error is None


@pytest.mark.parametrize("stdout", ["", "not json", "[]", "[3]", "{}", '[{"response": null}]', "]"])
def test_no_document_is_no_answer(stdout: str) -> None:
    """Output of another shape is an empty answer, which the attempt then counts as none."""
    assert read(stdout) == Answer("")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_run(fake_path) -> None:
    """Run for real: the answer, without a line of the document shown as output."""
    fake_path.cli("llm", SAID)
    heard: list[object] = []
    ended = await spawn(SpawnTask("q"), tool="llm", on_event=heard.append)
    assert (ended.success, ended.output, ended.session_id) == (True, "The answer.", "01m9")
    assert heard == []


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_failure(fake_path) -> None:
    """Run for real: the failure's own words, and no session to go on with."""
    fake_path.cli("llm", stderr="Error: Error code: 429 - try again in 20s\n", exit_code=1)
    ended = await spawn(SpawnTask("q"), tool="llm")
    assert (ended.success, ended.failure_type) == (False, FailureType.RATE_LIMIT)
    assert (ended.error, ended.retry_after) == ("Error code: 429 - try again in 20s", 20.0)
    assert ended.session_id is None
