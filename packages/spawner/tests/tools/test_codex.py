"""Codex: what it prints, and what that means."""

from __future__ import annotations

import json

import pytest

from aurora_spawner import FailureType, OutputLine, SpawnTask, get_tool, spawn
from aurora_spawner.detection import Retrying
from aurora_spawner.tools import Answer, Facts, Worked

STARTED = {"type": "thread.started", "thread_id": "0199"}
USAGE = {"type": "turn.completed", "usage": {"input_tokens": 3, "output_tokens": 4}}
FACTS = Facts(tokens_in=3, tokens_out=4, session_id="0199")
BENIGN = {
    "type": "item.completed",
    "item": {"id": "0", "type": "error", "message": "Model metadata for `x` not found."},
}


def message(text: object) -> dict[str, object]:
    return {"type": "item.completed", "item": {"id": "1", "type": "agent_message", "text": text}}


def turn_failed(text: object) -> dict[str, object]:
    return {"type": "turn.failed", "error": {"message": text}}


def read(*events: object, exit_code: int = 0) -> tuple[list[object], Answer]:
    """The notices and the answer for these lines of output."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    reader = get_tool("codex").reader()
    notices = [notice for line in lines for notice in reader.line(line)]
    return notices, reader.answer(exit_code, "\n".join(lines), "")


def test_the_last_message_is_the_answer() -> None:
    """Of several messages the last one is the answer; each is shown as it comes."""
    notices, answer = read(STARTED, message("Looking."), message("The\nanswer."), USAGE)
    assert answer == Answer("The\nanswer.", facts=FACTS)
    assert notices == [
        OutputLine("stdout", "Looking."),
        OutputLine("stdout", "The"),
        OutputLine("stdout", "answer."),
    ]


def test_a_benign_error_item_is_none() -> None:
    """An item of type `error` is only a remark, and does not fail the turn."""
    notices, answer = read(STARTED, BENIGN, message("Fine."), USAGE)
    assert (notices, answer) == (
        [OutputLine("stdout", "Fine.")],
        Answer("Fine.", facts=FACTS),
    )


@pytest.mark.parametrize("kind", ["item.started", "item.completed"])
def test_a_command_is_work(kind: str) -> None:
    """What the agent does on its way is a sign of work, though nothing of it is shown."""
    event = {"type": kind, "item": {"type": "command_execution", "command": "ls"}}
    assert read(STARTED, event)[0] == [Worked()]


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", FailureType.RATE_LIMIT),
        ("unexpected status 401 Unauthorized", FailureType.AUTH),
        ("stream disconnected before completion", FailureType.CONNECTION),
    ],
)
def test_a_retry_is_told_at_once(cause: str, kind: FailureType) -> None:
    """A reconnect names its cause and is no failure."""
    event = {"type": "error", "message": f"Reconnecting... 1/5 ({cause})"}
    notices, answer = read(STARTED, event, message("Fine."), USAGE)
    assert notices[0] == Retrying(f"codex retries 1/5: {cause}", kind)
    assert answer.error is None


def test_it_waits_for_a_network() -> None:
    """Without a network it waits, however long, and says so: that is a lost connection."""
    cause = "error sending request"
    event = {"type": "error", "message": f"Reconnecting... waiting for network ({cause})"}
    [notice], _ = read(STARTED, event)
    assert notice == Retrying(f"codex retries waiting for network: {cause}", FailureType.CONNECTION)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", FailureType.RATE_LIMIT),
        ("Quota exceeded. Check your plan and billing details.", FailureType.RATE_LIMIT),
        ("We're currently experiencing high demand", FailureType.INFERENCE),
        ("unexpected status 401 Unauthorized", FailureType.AUTH),
        ("ran out of room in the model's context window", FailureType.INVALID_REQUEST),
    ],
)
def test_a_failed_turn_is_the_failure(text: str, kind: FailureType) -> None:
    """A failed turn fails the attempt and tells its kind, whatever was said before it and
    whatever the exit code."""
    for exit_code in (0, 1):
        _, answer = read(STARTED, message("half"), turn_failed(text), exit_code=exit_code)
        assert answer == Answer("half", text, kind, Facts(session_id="0199"))


@pytest.mark.parametrize("text", [None, ""])
def test_a_failed_turn_without_words(text: object) -> None:
    """A failed turn that gives no reason still says that it failed."""
    _, answer = read(turn_failed(text))
    assert answer.error == "codex failed"


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1]",
        "{}",
        '{"type": "item.completed"}',
        '{"type": "item.completed", "item": "x"}',
        '{"type": "item.completed", "item": {"type": ["agent_message"]}}',
        '{"type": "error", "message": "Reconnecting... 1/5"}',
    ],
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    assert read(line, message("Fine."), line)[1] == Answer("Fine.")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_run(fake_path) -> None:
    """Run for real: the answer, and a failure with exit code 1."""
    events = (STARTED, BENIGN, message("The answer."), USAGE)
    fake_path.cli("codex", "\n".join(map(json.dumps, events)))
    ended = await spawn(SpawnTask("q"), tool="codex")
    assert (ended.success, ended.output, ended.tool) == (True, "The answer.", "codex")


@pytest.mark.asyncio(loop_factories=["real"])
async def test_a_real_failure(fake_path) -> None:
    """Run for real: the failed turn's words are the error, before the exit code."""
    text = "exceeded retry limit, last status: 429 Too Many Requests"
    fake_path.cli("codex", json.dumps(turn_failed(text)), exit_code=1)
    ended = await spawn(SpawnTask("q"), tool="codex")
    assert (ended.error, ended.exit_code) == (text, 1)
    assert ended.failure_type is FailureType.RATE_LIMIT
