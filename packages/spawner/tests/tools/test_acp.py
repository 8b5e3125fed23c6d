"""The Agent Client Protocol: what is said, what is answered, and what that means."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner import (
    FailureType,
    InvalidTaskError,
    OutputLine,
    Policy,
    SpawnTask,
    get_tool,
    spawn,
)
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools import Answer, Facts, Notice, Reply, Worked

AGENT = {
    "protocolVersion": 1,
    "agentCapabilities": {"loadSession": True},
    "agentInfo": {"name": "hal", "version": "9000"},
}
SESSION = {"sessionId": "s1", "models": {"currentModelId": "big"}}
DONE = {"stopReason": "end_turn"}


class Talk:
    """A conversation with an agent that a test plays."""

    def __init__(self, **fields: Any) -> None:
        given = {"agent": None, "model": None, "cwd": "/", "env": {}, "timeout": 60, **fields}
        request = SpawnRequest(
            prompt="question", tool="acp", command=("agent",), policy=Policy(), **given
        )
        self.call = get_tool("acp").invocation(request)
        self.said = [json.loads(self.call.stdin)]
        self.notices: list[Notice] = []
        self.over = False

    @property
    def asked(self) -> Mapping[str, Any]:
        """The last message that it got."""
        return self.said[-1]

    def hears(self, **message: Any) -> Talk:
        for notice in self.call.reader.line(json.dumps({"jsonrpc": "2.0", **message})):
            if isinstance(notice, Reply):
                self.said += map(json.loads, notice.data.splitlines())
                self.over = self.over or notice.last
            else:
                self.notices.append(notice)
        return self

    def answers(self, result: object) -> Talk:
        return self.hears(id=self.asked["id"], result=result)

    def fails(self, **error: Any) -> Talk:
        return self.hears(id=self.asked["id"], error=error)

    def updates(self, kind: str, **fields: Any) -> Talk:
        update = {"sessionUpdate": kind, **fields}
        return self.hears(method="session/update", params={"sessionId": "s1", "update": update})

    def says(self, text: str) -> Talk:
        return self.updates("agent_message_chunk", content={"type": "text", "text": text})

    def wants(self, **call: Any) -> Mapping[str, Any]:
        """What it is answered when it asks for a permission."""
        options = [
            {"optionId": kind, "name": kind, "kind": kind}
            for kind in ("allow_always", "allow_once", "reject_once")
        ]
        params = {"sessionId": "s1", "toolCall": call, "options": options}
        self.hears(id=7, method="session/request_permission", params=params)
        assert self.asked["id"] == 7
        outcome: Mapping[str, Any] = self.asked["result"]["outcome"]
        return outcome

    def answer(self, exit_code: int = 0, stderr: str = "") -> Answer:
        answer: Answer = self.call.reader.answer(exit_code, "", stderr)
        return answer


def prompted(**fields: Any) -> Talk:
    return Talk(**fields).answers(AGENT).answers(SESSION)


def test_from_hello_to_goodbye() -> None:
    """The agent is greeted, given a session in the task's folder and the question, and hung up on
    when it has answered."""
    talk = prompted().says("The ").says("answer.").answers(DONE)
    hello, session, prompt = talk.said
    assert [each["method"] for each in talk.said] == [
        "initialize",
        "session/new",
        "session/prompt",
    ]
    assert hello["params"]["clientCapabilities"]["terminal"] is False
    assert session["params"] == {"cwd": "/", "mcpServers": []}
    question = [{"type": "text", "text": "question"}]
    assert prompt["params"] == {"sessionId": "s1", "prompt": question}
    assert talk.notices == [OutputLine("stdout", "The "), OutputLine("stdout", "answer.")]
    facts = Facts(session_id="s1", model="big", tool_version="9000")
    assert talk.over
    assert talk.answer() == Answer("The answer.", facts=facts, settled=True)


def test_tools_and_what_is_said_before_them() -> None:
    """A tool that runs is told from one that has ended; what was said before it is no answer."""
    talk = prompted().says("Looking.")
    talk.updates("tool_call", toolCallId="a", status="pending")
    talk.updates("tool_call", toolCallId="b")
    talk.updates("tool_call_update", toolCallId="a", status="completed")
    talk.updates("tool_call_update", toolCallId="b", status="failed")
    talk.says("Done.").answers(DONE)
    assert talk.notices[1:5] == [Worked(1), Worked(2), Worked(1), Worked(0)]
    assert talk.answer().text == "Done."


def test_what_it_cost() -> None:
    """Cost and tokens are told where the agent tells them, the cost in dollars only."""
    talk = prompted()
    talk.updates("usage_update", used=5, size=9, cost={"amount": 0.5, "currency": "USD"})
    talk.updates("usage_update", used=5, size=9, cost={"amount": 9, "currency": "EUR"})
    usage = {"inputTokens": 3, "cachedReadTokens": 4, "outputTokens": 5, "thoughtTokens": 6}
    facts = talk.answers({**DONE, "usage": usage}).answer().facts
    assert (facts.cost_usd, facts.tokens_in, facts.tokens_out) == (0.5, 7, 11)


def test_going_on_with_a_session() -> None:
    """A session is loaded by its id, and what it tells of its past is no answer."""
    talk = Talk(session_id="s0").answers(AGENT)
    assert talk.asked["method"] == "session/load"
    assert talk.asked["params"]["sessionId"] == "s0"
    talk.says("long ago").updates("tool_call", toolCallId="a").answers(None)
    assert talk.asked["params"]["sessionId"] == "s0"
    talk.says("Now.").answers(DONE)
    assert talk.notices == [OutputLine("stdout", "Now.")]
    assert (talk.answer().text, talk.answer().facts.session_id) == ("Now.", "s0")


def test_a_session_that_cannot_be_loaded_again() -> None:
    """An agent that keeps no sessions has none to tell."""
    talk = Talk().answers({"protocolVersion": 1}).answers(SESSION).answers(DONE)
    assert talk.answer().facts.session_id is None


@pytest.mark.parametrize(
    ("session", "method", "params"),
    [
        (SESSION, "session/set_model", {"modelId": "small"}),
        (
            {
                "sessionId": "s1",
                "configOptions": [{"id": "mode"}, {"id": "m", "category": "model"}],
            },
            "session/set_config_option",
            {"configId": "m", "value": "small"},
        ),
    ],
)
def test_a_model(session: object, method: str, params: Mapping[str, str]) -> None:
    """The model is named in the agent's own way before the question; if it is not known, that is
    the failure."""
    talk = Talk(model="small").answers(AGENT).answers(session)
    assert (talk.asked["method"], talk.asked["params"]) == (method, {"sessionId": "s1", **params})
    assert (
        Talk(model="small")
        .answers(AGENT)
        .answers(session)
        .fails(code=-32602, message="what?")
        .answer()
        .failure_type
        is FailureType.INVALID_MODEL
    )
    assert talk.answers({}).asked["method"] == "session/prompt"


ALLOWED = {"outcome": "selected", "optionId": "allow_once"}
REFUSED = {"outcome": "selected", "optionId": "reject_once"}
INSIDE = [{"path": "/project/a.py"}, {"path": "b.py"}]


@pytest.mark.parametrize(
    ("permissions", "kind", "locations", "outcome"),
    [
        ("read-only", "read", [], ALLOWED),
        ("read-only", "search", [], ALLOWED),
        ("read-only", "edit", INSIDE, REFUSED),
        ("read-only", "execute", [], REFUSED),
        ("read-only", "fetch", [], REFUSED),
        ("read-only", "other", [], REFUSED),
        ("read-only", None, [], REFUSED),
        ("workspace-write", "edit", INSIDE, ALLOWED),
        ("workspace-write", "move", INSIDE, ALLOWED),
        ("workspace-write", "edit", [], REFUSED),
        ("workspace-write", "edit", [*INSIDE, {"path": "/etc/passwd"}], REFUSED),
        ("workspace-write", "edit", [{"path": "/project/../etc/passwd"}], REFUSED),
        ("workspace-write", "edit", [{}], REFUSED),
        ("workspace-write", "edit", "everywhere", REFUSED),
        ("workspace-write", "execute", INSIDE, REFUSED),
        ("full-access", "execute", [], ALLOWED),
        ("full-access", None, [], ALLOWED),
    ],
)
def test_permissions(
    permissions: str, kind: str | None, locations: object, outcome: Mapping[str, str]
) -> None:
    """What the agent asks for is answered by its kind and place, once and never for always."""
    talk = prompted(permissions=permissions, cwd="/project")
    assert talk.wants(kind=kind, locations=locations) == outcome


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """A path that a link leads out of the folder is outside."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path)
    talk = prompted(permissions="workspace-write", cwd=str(tmp_path / "work"))
    assert talk.wants(kind="edit", locations=[{"path": "link/x"}]) == REFUSED
    assert talk.wants(kind="edit", locations=[{"path": "x"}]) == ALLOWED


def test_a_question_without_a_choice() -> None:
    """Where nothing that fits can be chosen the question is called off; other questions are not
    known here."""
    talk = prompted()
    talk.hears(id=1, method="session/request_permission", params={"options": [3]})
    assert talk.asked["result"] == {"outcome": {"outcome": "cancelled"}}
    talk.hears(id="x", method="fs/read_text_file", params={})
    assert (talk.asked["id"], talk.asked["error"]["code"]) == ("x", -32601)


@pytest.mark.parametrize(
    ("error", "said", "kind"),
    [
        ({"code": -32000, "message": "Log in"}, "Log in", FailureType.AUTH),
        (
            {"code": -32603, "message": "Internal error", "data": {"details": "429 rate limit"}},
            "Internal error: 429 rate limit",
            FailureType.RATE_LIMIT,
        ),
        ({"code": 1, "message": "x", "data": {"status": 529}}, "x", FailureType.INFERENCE),
        ({}, "it failed", FailureType.CRASH),
    ],
)
def test_an_error_is_the_failure(error: Mapping[str, Any], said: str, kind: FailureType) -> None:
    """An error is the failure, with its details, and ends the conversation."""
    talk = prompted().says("half").fails(**error)
    answer = talk.answer(exit_code=-15)
    assert talk.over
    assert (answer.text, answer.error) == ("half", f"session/prompt: {said}")
    assert (answer.failure_type, answer.settled) == (kind, True)


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "cancelled", None])
def test_an_answer_that_was_cut_off(reason: str | None) -> None:
    """Whoever stops for another reason than that all is said has failed, and keeps what it said."""
    answer = prompted().says("half").answers({"stopReason": reason}).answer()
    assert (answer.text, answer.error) == ("half", f"the agent stopped: {reason}")
    assert answer.failure_type is FailureType.INFERENCE


def test_another_version() -> None:
    """An agent that speaks another version of the protocol is not talked to."""
    answer = Talk().answers({"protocolVersion": 2}).answer()
    assert answer.error == "initialize: it speaks version 2 of the protocol"


def test_it_ended_before_it_answered() -> None:
    """An agent that ends in the middle has failed, with its last words."""
    answer = prompted().says("half").answer(0, "log\nno network\n")
    assert answer.error == "the agent ended before it answered: no network"
    assert not answer.settled


@pytest.mark.parametrize(
    "line",
    ["", "log", "[]", "{}", '{"id": "initialize"}', '{"id": 3, "result": {}}', '{"method": 3}'],
)
def test_odd_lines_are_no_news(line: str) -> None:
    """A line of another shape than expected means nothing, and harms nothing."""
    talk = prompted()
    assert talk.call.reader.line(line) == ()
    assert talk.says("Fine.").answers(DONE).answer().text == "Fine."


def test_it_needs_a_command() -> None:
    """The agent's program has to be named."""
    with pytest.raises(InvalidTaskError, match="command"):
        get_tool("acp").invocation(
            SpawnRequest("q", "acp", None, None, None, None, {}, 60, Policy())
        )


_AGENT = """
import json, sys, time

def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def update(kind, **fields):
    params = {"sessionId": "s1", "update": {"sessionUpdate": kind, **fields}}
    send(method="session/update", params=params)

mode = sys.argv[1]
for line in sys.stdin:
    message = json.loads(line)
    match message.get("method"):
        case "initialize":
            send(id=message["id"], result={"protocolVersion": 1})
        case "session/new":
            send(id=message["id"], result={"sessionId": "s1"})
        case "session/prompt":
            asked = message
            if mode == "dies":
                sys.exit("gone")
            option = {"optionId": "yes", "name": "Yes", "kind": "allow_once"}
            call = {"toolCallId": "a", "kind": "read"}
            params = {"sessionId": "s1", "toolCall": call, "options": [option]}
            send(id=0, method="session/request_permission", params=params)
        case None:
            chosen = message["result"]["outcome"]["optionId"]
            said = f"{chosen}: {len(asked['params']['prompt'][0]['text'])}"
            update("agent_message_chunk", content={"type": "text", "text": said})
            send(id=asked["id"], result={"stopReason": "end_turn"})
if mode == "stays":
    time.sleep(1000)
"""


def agent(mode: str, **fields: Any) -> SpawnTask:
    command = (sys.executable, "-I", "-S", "-c", _AGENT, mode)
    return SpawnTask(**{"prompt": "q", "tool": "acp", "command": command, **fields})


real = pytest.mark.asyncio(loop_factories=["real"])


@real
async def test_f63_a_real_conversation_about_a_megabyte() -> None:
    """F63: run for real, a prompt of 1 MB reaches the agent through the conversation, its question
    is answered, and it ends by itself once it is hung up on."""
    result = await spawn(agent("leaves", prompt="x" * 1_000_000))
    assert (result.success, result.output) == (True, "yes: 1000000")
    assert (result.exit_code, result.tool) == (0, "acp")


@real
async def test_an_agent_that_stays() -> None:
    """Run for real: an agent that does not leave when it is hung up on is ended after the grace,
    and its answer stands."""
    result = await spawn(agent("stays", policy=Policy(grace=0.1)))
    assert (result.success, result.output, result.exit_code) == (True, "yes: 1", -15)
    assert result.termination_reason is None


@real
async def test_an_agent_that_dies() -> None:
    """Run for real: an agent that dies in the middle is a failure with its last words."""
    result = await spawn(agent("dies"))
    assert (result.success, result.exit_code) == (False, 1)
    assert result.error == "the agent ended before it answered: gone"


@real
async def test_a_program_that_speaks_nothing() -> None:
    """Run for real: a program that does not answer is ended by its timeout."""
    result = await spawn(SpawnTask("q", tool="acp", command=("sleep", "100"), timeout=0.2))
    assert result.termination_reason == "Timeout after 0.2s"
