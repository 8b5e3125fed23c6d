"""opencode (`opencode run`), in its JSON mode, with its errors logged to standard error.

How it fails: an `error` event; but what it thinks worth a retry it retries for minutes and tells
only its log, one line `message="stream error"` each. Nothing turns its retries off, so it is ended
at the first of them where a policy wants none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from aurora_spawner.detection import Retrying
from aurora_spawner.events import OutputLine
from aurora_spawner.failures import FailureType, classify, retry_after
from aurora_spawner.models import Permissions, SpawnRequest
from aurora_spawner.tools.adapter import Answer, Facts, Invocation, Notice, Reader, Worked
from aurora_spawner.tools.jsonlines import (
    amount,
    failure_of,
    member,
    parse_object,
    text_at,
    total,
)

__all__ = ["OpencodeTool"]

# What a denied permission covers is not even offered to the model.
_DENIED: Mapping[Permissions, tuple[str, ...]] = {
    "read-only": ("bash", "edit", "external_directory"),
    "workspace-write": ("bash", "external_directory"),
    "full-access": (),
}

# The second form is of an error that came in the middle of an answer.
_STREAM_ERROR = re.compile(
    r'timestamp=\S+ level=ERROR run=\w+ message="stream error" '
    r'.*error\.error(?:\.message)?="(.*?)"(?: error\.|$)'
)

# The log tells of every error; of others than these the tool does not try again.
_RETRIED = (FailureType.RATE_LIMIT, FailureType.INFERENCE, FailureType.CONNECTION)


class OpencodeTool:
    """The `opencode` CLI. It shows a step's text, and its tools, only when they are complete."""

    name = "opencode"
    executable = "opencode"
    install = "npm install -g opencode-ai"
    tested = ("1.18.33",)
    structured = True
    streams = False
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["opencode", "run", "--format=json", "--print-logs", "--log-level=ERROR"]
        env = {}
        if denied := _DENIED[request.permissions]:
            env["OPENCODE_PERMISSION"] = json.dumps(dict.fromkeys(denied, "deny"))
        else:
            argv.append("--auto")
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv.append(f"--session={request.session_id}")
        return Invocation(tuple(argv), request.prompt.encode(), env)

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _OpencodeReader()


class _OpencodeReader:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._steps: list[object] = []
        self._session: str | None = None
        self._error: str | None = None
        self._status: object = None

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        self._session = self._session or text_at(event, "sessionID")
        match event.get("type"):
            case "step_start":
                # The answer is what the last step says; earlier ones talk about their work.
                # Nothing is done yet: a stream that was cut begins its step again.
                self._texts.clear()
            case "tool_use":
                return [Worked()]
            case "step_finish":
                self._steps.append(event.get("part"))
                return [Worked()]
            case "text":
                said = str(member(event, "part", "text") or "")
                self._texts.append(said)
                return [OutputLine("stdout", line) for line in said.splitlines()]
            case "error":
                data = member(event, "error", "data")
                name = member(event, "error", "name")
                self._error = str(member(data, "message") or name or "opencode failed")
                self._status = member(data, "statusCode")
        return ()

    def aside(self, text: str) -> Sequence[Notice]:
        found = _STREAM_ERROR.match(text)
        if found is None or (kind := classify(found[1])) not in _RETRIED:
            return ()
        return [Retrying(f"opencode retries: {found[1]}", kind, retry_after(text))]

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        text = "".join(self._texts)
        facts = self._facts()
        if self._error is not None:
            return Answer(text, self._error, failure_of(self._error, self._status), facts)
        return Answer(text, facts=facts)

    def _facts(self) -> Facts:
        read = [
            count
            for step in self._steps
            for count in (
                total(member(step, "tokens"), "input"),
                total(member(step, "tokens", "cache"), "read", "write"),
            )
            if count is not None
        ]
        wrote = [
            count
            for step in self._steps
            if (count := total(member(step, "tokens"), "output", "reasoning")) is not None
        ]
        cost = sum(amount(step, "cost") or 0 for step in self._steps)
        return Facts(
            # It says 0 for a model whose price it does not know.
            cost_usd=cost or None,
            tokens_in=sum(read) if read else None,
            tokens_out=sum(wrote) if wrote else None,
            session_id=self._session,
        )
