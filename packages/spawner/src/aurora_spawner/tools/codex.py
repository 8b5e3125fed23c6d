"""OpenAI Codex (`codex exec`), in its JSON mode.

How it fails: `turn.failed`, after lines `Reconnecting... 1/5 (cause)` while it tries by itself.
Without a network it goes on for ever (`Reconnecting... waiting for network (cause)`). It tells
neither its model nor a cost, and the tokens of a session that goes on are those of the whole
session. Its retries can only be turned off in the configuration of a provider of the user's own, so
it is ended at the first of them where a policy wants none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aurora_spawner.detection import Retrying
from aurora_spawner.events import OutputLine
from aurora_spawner.failures import FailureType, classify, retry_after
from aurora_spawner.models import Permissions, SpawnRequest
from aurora_spawner.tools.adapter import Answer, Facts, Invocation, Notice, Reader, Worked
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object, text_at, total

__all__ = ["CodexTool"]

_SANDBOXES: Mapping[Permissions, str] = {
    "read-only": "read-only",
    "workspace-write": "workspace-write",
    "full-access": "danger-full-access",
}

_RECONNECTING = re.compile(r"Reconnecting\.\.\. (\d+/\d+|waiting for network) \((.*)\)", re.DOTALL)


class CodexTool:
    """The `codex` CLI. It shows no text until its answer is complete."""

    name = "codex"
    executable = "codex"
    install = "npm install -g @openai/codex"
    tested = ("0.169.0",)
    structured = True
    streams = False
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input (`-`)."""
        argv = ["codex", "exec", "--json", "--skip-git-repo-check"]
        argv.append(f"--sandbox={_SANDBOXES[request.permissions]}")
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv += ["resume", request.session_id]
        return Invocation((*argv, "-"), request.prompt.encode())

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _CodexReader()


class _CodexReader:
    def __init__(self) -> None:
        self._message = ""
        self._error: str | None = None
        self._session: str | None = None
        self._usage: object = None

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"), member(event, "item", "type"):
            case "thread.started", _:
                self._session = text_at(event, "thread_id")
            case "item.completed", "agent_message":
                self._message = str(member(event, "item", "text") or "")
                return [OutputLine("stdout", line) for line in self._message.splitlines()]
            case _, "error":
                # Only a remark; a failed turn is the failure.
                return ()
            case (("item.started" | "item.completed"), str()):
                return [Worked()]
            case "turn.completed", _:
                self._usage = event.get("usage")
            case "turn.failed", _:
                self._error = str(member(event, "error", "message") or "codex failed")
            case "error", _:
                return self._retrying(str(event.get("message")))
        return ()

    @staticmethod
    def _retrying(message: str) -> Sequence[Notice]:
        found = _RECONNECTING.match(message)
        if found is None:
            return ()
        count, cause = found.groups()
        reason = f"codex retries {count}: {cause}"
        # Whatever stands beside it: nobody was reached.
        lost = count == "waiting for network"
        kind = FailureType.CONNECTION if lost else classify(cause)
        return [Retrying(reason, kind, retry_after(cause))]

    def aside(self, text: str) -> Sequence[Notice]:
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        facts = Facts(
            tokens_in=total(self._usage, "input_tokens"),
            tokens_out=total(self._usage, "output_tokens"),
            session_id=self._session,
        )
        if self._error is not None:
            return Answer(self._message, self._error, failure_of(self._error), facts)
        return Answer(self._message, facts=facts)
