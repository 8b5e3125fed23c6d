"""Any agent that speaks the Agent Client Protocol: JSON-RPC over its standard streams, version 1.

    SpawnTask("Review a.py", tool="acp", command=("gemini", "--acp"))

The conversation, one message a line:

    initialize ─▶ session/new, or session/load to go on ─▶ (the model) ─▶ session/prompt ─▶ hang up

Meanwhile the agent tells of its work (`session/update`) and asks (`session/request_permission`);
it is offered neither files nor terminals. What it may do is decided by the kind of what it asks
for and by where that is; what it does without asking is up to its own settings.

Only the messages are here, without any I/O: the processes are ours, as for every other tool. That
is why no library speaks it for us: those bring event streams and processes of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.events import OutputLine
from aurora_spawner.failures import FailureType
from aurora_spawner.models import Permissions, SpawnRequest
from aurora_spawner.tools.adapter import (
    Answer,
    Facts,
    Invocation,
    Notice,
    Reader,
    Reply,
    TextReader,
    Worked,
)
from aurora_spawner.tools.jsonlines import amount, failure_of, member, parse_object, text_at, total

__all__ = ["AcpTool"]

_VERSION = 1

# Kinds of work that an agent is let do, as the protocol names them; `full-access`: any.
_READS = frozenset({"read", "search", "think"})
_WRITES = frozenset({"edit", "delete", "move"})

_UNKNOWN_METHOD = {"code": -32601, "message": "not offered"}
_NOT_LOGGED_IN = -32000


class AcpTool:
    """An agent that is started by the task's own command. Not every one streams its thoughts."""

    name = "acp"
    executable = ""
    install = "name the agent's program in `command`"
    tested = ("1",)
    structured = True
    streams = False
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """The task's own command; everything else is said to it."""
        if not request.command:
            raise InvalidTaskError("command", "the tool `acp` needs the agent's program")
        conversation = _Conversation(request)
        return Invocation(request.command, conversation.opening(), reader=conversation)

    def reader(self) -> Reader:
        """Never asked for: each call brings its conversation."""
        return TextReader()


class _Conversation:
    def __init__(self, request: SpawnRequest) -> None:
        self._request = request
        self._folder = os.path.abspath(request.cwd or os.getcwd())
        self._asked = ""
        self._answered = False
        self._texts: list[str] = []
        self._tools: set[str] = set()
        self._agent: object = None
        self._session: dict[str, Any] = {}
        self._session_id: str | None = None
        self._cost: float | None = None
        self._usage: object = None
        self._error: str | None = None
        self._failure: FailureType | None = None

    def opening(self) -> bytes:
        """The first message."""
        # Not at the top: importing it takes longer than all of this module.
        from importlib.metadata import version

        return self._ask(
            "initialize",
            protocolVersion=_VERSION,
            clientCapabilities={
                "fs": {"readTextFile": False, "writeTextFile": False},
                "terminal": False,
            },
            clientInfo={"name": "aurora-spawner", "version": version("aurora-spawner")},
        )

    def line(self, text: str) -> Sequence[Notice]:
        message = parse_object(text)
        method, params = message.get("method"), message.get("params")
        if method == "session/update":
            return self._update(member(params, "update"))
        if method is not None and "id" in message:
            return [Reply(_message(id=message["id"], **self._reply_to(method, params)))]
        if self._asked and message.get("id") == self._asked:
            return self._went_on(message)
        return ()

    def aside(self, text: str) -> Sequence[Notice]:
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        facts = Facts(
            cost_usd=self._cost,
            tokens_in=total(self._usage, "inputTokens", "cachedReadTokens", "cachedWriteTokens"),
            tokens_out=total(self._usage, "outputTokens", "thoughtTokens"),
            session_id=self._session_id if self._can_load else None,
            model=text_at(self._session, "models", "currentModelId"),
            tool_version=text_at(self._agent, "agentInfo", "version"),
        )
        text = "".join(self._texts)
        error = self._error
        if error is None and not self._answered:
            said = stderr.strip().rpartition("\n")[2]
            error = f"the agent ended before it answered{said and ': '}{said}"
        return Answer(text, error, self._failure, facts, settled=self._answered)

    # What we ask

    def _ask(self, method: str, **params: Any) -> bytes:
        # There is one question at a time, so its name will do for its id.
        self._asked = method
        return _message(id=method, method=method, params=params)

    def _went_on(self, message: Mapping[str, Any]) -> Sequence[Notice]:
        """Our question is answered: ask the next one."""
        asked, self._asked = self._asked, ""
        error, result = message.get("error"), message.get("result")
        if error is not None:
            return self._fail(asked, error)
        match asked:
            case "initialize":
                self._agent = result
                if member(result, "protocolVersion") != _VERSION:
                    spoken = member(result, "protocolVersion")
                    return self._fail(asked, f"it speaks version {spoken} of the protocol")
                return [Reply(self._begin())]
            case "session/new" | "session/load":
                self._session = result if isinstance(result, dict) else {}
                given = text_at(self._session, "sessionId")
                self._session_id = given or self._request.session_id
                self._texts.clear()
                if self._request.model:
                    return [Reply(self._choose(self._request.model))]
                return [Reply(self._prompt())]
            case "session/prompt":
                return self._end(result)
            case _:
                return [Reply(self._prompt())]

    def _begin(self) -> bytes:
        where = {"cwd": self._folder, "mcpServers": []}
        if self._request.session_id is None:
            return self._ask("session/new", **where)
        return self._ask("session/load", sessionId=self._request.session_id, **where)

    def _choose(self, model: str) -> bytes:
        """Name the model: an option of the session, or in the way of older agents."""
        options = member(self._session, "configOptions")
        for option in options if isinstance(options, list) else ():
            if member(option, "category") == "model":
                chosen = {"configId": member(option, "id"), "value": model}
                return self._ask("session/set_config_option", sessionId=self._session_id, **chosen)
        return self._ask("session/set_model", sessionId=self._session_id, modelId=model)

    def _prompt(self) -> bytes:
        prompt = [{"type": "text", "text": self._request.prompt}]
        return self._ask("session/prompt", sessionId=self._session_id, prompt=prompt)

    def _end(self, result: object) -> Sequence[Notice]:
        self._answered = True
        self._usage = member(result, "usage")
        stopped = member(result, "stopReason")
        if stopped != "end_turn":
            self._error = f"the agent stopped: {stopped}"
            self._failure = FailureType.INFERENCE
        return [Reply(last=True)]

    def _fail(self, asked: str, error: object) -> Sequence[Notice]:
        self._answered = True
        said = error if isinstance(error, str) else str(member(error, "message") or "it failed")
        details = member(error, "data", "details") or member(error, "data", "message")
        said = f"{said}: {details}" if details else said
        self._error = f"{asked}: {said}"
        self._failure = failure_of(said, member(error, "data", "status"))
        if member(error, "code") == _NOT_LOGGED_IN:
            self._failure = FailureType.AUTH
        elif asked.startswith("session/set_"):
            self._failure = FailureType.INVALID_MODEL
        return [Reply(last=True)]

    @property
    def _can_load(self) -> bool:
        return member(self._agent, "agentCapabilities", "loadSession") is True

    # What the agent tells and asks

    def _update(self, update: object) -> Sequence[Notice]:
        if self._asked != "session/prompt":
            # A session that is loaded is told from its beginning.
            return ()
        match member(update, "sessionUpdate"):
            case "agent_message_chunk":
                said = str(member(update, "content", "text") or "")
                self._texts.append(said)
                return [OutputLine("stdout", line) for line in said.splitlines()]
            case "tool_call" | "tool_call_update":
                # The answer is what is said after the last tool; before, it talks of its work.
                self._texts.clear()
                call = str(member(update, "toolCallId"))
                if member(update, "status") in ("completed", "failed"):
                    self._tools.discard(call)
                else:
                    self._tools.add(call)
                return [Worked(len(self._tools))]
            case "usage_update" if member(update, "cost", "currency") == "USD":
                self._cost = amount(update, "cost", "amount")
        return ()

    def _reply_to(self, method: object, params: object) -> Mapping[str, Any]:
        if method != "session/request_permission":
            return {"error": _UNKNOWN_METHOD}
        wanted = "allow_once" if self._allows(member(params, "toolCall")) else "reject_once"
        options = member(params, "options")
        for option in options if isinstance(options, list) else ():
            if member(option, "kind") == wanted:
                chosen = {"outcome": "selected", "optionId": member(option, "optionId")}
                return {"result": {"outcome": chosen}}
        return {"result": {"outcome": {"outcome": "cancelled"}}}

    def _allows(self, call: object) -> bool:
        permissions: Permissions = self._request.permissions
        if permissions == "full-access":
            return True
        kind = member(call, "kind")
        if kind in _READS:
            return True
        return permissions == "workspace-write" and kind in _WRITES and self._is_inside(call)

    def _is_inside(self, call: object) -> bool:
        """Whether all that is written is named, and in the task's folder."""
        locations = member(call, "locations")
        paths = [text_at(each, "path") for each in locations] if isinstance(locations, list) else []
        # Links are followed: a path may lead out of the folder that it is in.
        folder = Path(self._folder).resolve()
        return bool(paths) and all(
            path is not None and (folder / path).resolve().is_relative_to(folder) for path in paths
        )


def _message(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode() + b"\n"
