"""What the real CLIs printed, recorded against a model server on loopback, and what it means.

A recording holds the arguments, the exit code and the lines of both outputs. Folders were renamed,
nothing else was touched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner import OutputLine, Policy, get_tool
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools import Answer, Notice, Retrying, Worked

TRANSCRIPTS = Path(__file__).with_name("transcripts")

MODELS = {"gemini": "gemini-2.5-flash", "opencode": "fake/m", "llm": "fake"}


def recorded(case: str) -> list[dict[str, Any]]:
    """The recordings of a case, of every CLI that was recorded in it."""
    paths = sorted(TRANSCRIPTS.glob(f"*-{case}.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def cases(case: str) -> pytest.MarkDecorator:
    recordings = recorded(case)
    assert recordings
    return pytest.mark.parametrize("said", recordings, ids=lambda said: said["tool"])


def read(said: dict[str, Any]) -> tuple[list[Notice], Answer]:
    """The notices and the answer; both outputs are read one after the other."""
    reader = get_tool(said["tool"]).reader()
    notices = [notice for line in said["stdout"] for notice in reader.line(line)]
    notices += [notice for line in said["stderr"] for notice in reader.aside(line)]
    stdout, stderr = "\n".join(said["stdout"]), "\n".join(said["stderr"])
    return notices, reader.answer(said["exit_code"], stdout, stderr)


@cases("answer")
def test_it_was_called_as_it_is_called_now(said: dict[str, Any]) -> None:
    """The recordings are of the call that the adapter makes, in a version that it names."""
    tool = get_tool(said["tool"])
    request = SpawnRequest(
        "q", tool.name, None, MODELS.get(tool.name), None, None, {}, 60, Policy()
    )
    assert list(tool.invocation(request).argv[1:]) == said["arguments"]
    assert said["version"] in tool.tested


@cases("answer")
def test_an_answer(said: dict[str, Any]) -> None:
    """The answer, with what the CLI tells beside: tokens from the cache were read too."""
    notices, answer = read(said)
    assert (answer.text, answer.error) == ("fine answer", None)
    shown = [notice.text for notice in notices if isinstance(notice, OutputLine)]
    assert shown == ([] if said["tool"] == "llm" else ["fine answer"])
    facts = answer.facts
    assert (facts.tokens_in, facts.tokens_out) == ((17, 7) if said["tool"] == "claude" else (20, 4))
    assert facts.session_id
    assert (facts.cost_usd is not None) == (said["tool"] == "claude")
    assert (facts.model is not None) == (said["tool"] in ("claude", "gemini", "llm"))
    assert (facts.tool_version is not None) == (said["tool"] == "claude")


@cases("tool")
def test_an_answer_after_a_tool(said: dict[str, Any]) -> None:
    """A tool that the agent ran is a sign of work, over by the time of the answer."""
    notices, answer = read(said)
    assert (answer.text, answer.error) == ("fine answer", None)
    worked = [notice.tools for notice in notices if isinstance(notice, Worked)]
    assert worked
    assert worked[-1] == 0


@cases("refused")
def test_a_refusal(said: dict[str, Any]) -> None:
    """A key that is refused is told as such, by the CLI's own retries or else by its failure."""
    notices, answer = read(said)
    assert all(isinstance(notice, Retrying) for notice in notices)
    assert ({notice.failure_type for notice in notices} or {answer.failure_type}) == {"auth"}
    assert answer.error


@cases("limited")
def test_a_limit_is_told_at_its_first_notice(said: dict[str, Any]) -> None:
    """A limit is known while the CLI still retries by itself; llm retries in silence, and it is
    known by its failure."""
    notices, answer = read(said)
    assert not any(isinstance(notice, OutputLine | Worked) for notice in notices)
    if said["tool"] == "llm":
        assert (notices, answer.failure_type) == ([], "rate_limit")
        return
    first = notices[0]
    assert isinstance(first, Retrying)
    assert first.failure_type == "rate_limit"
    assert first.retry_after == (7.0 if said["tool"] == "claude" else None)


@cases("limited-late")
def test_a_limit_after_work(said: dict[str, Any]) -> None:
    """An agent that had worked fails of the limit, and names the session to go on with; what its
    CLI says of the limit is no work of its own."""
    notices, answer = read(said)
    assert isinstance(notices[0], Worked)
    assert not any(isinstance(notice, OutputLine) for notice in notices)
    assert answer.failure_type == "rate_limit"
    assert answer.facts.session_id
