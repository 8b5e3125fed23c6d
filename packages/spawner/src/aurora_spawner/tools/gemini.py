"""Gemini CLI (`gemini -o stream-json`): its prompt on standard input, an event a line.

How it fails: `Attempt N failed with status S. Retrying with backoff...` on standard error (without
a status where nobody answered), up to 10 times; then a result with `status: error` and the lower 8
bits of the HTTP status as exit code (429 is 173). Its retries can only be turned off in a settings
file that belongs to root, so it is ended at the first of them where a policy wants none. It works
in trusted folders only: trust one in its interactive mode, or set GEMINI_CLI_TRUST_WORKSPACE=true.
It repeats the prompt, and does not wait until its output is read: after a prompt of a megabyte, on
a busy machine, its result may be missing. An answer that is broken off is begun again in silence,
up to three times, and what was shown of it stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aurora_spawner.detection import Retrying
from aurora_spawner.events import OutputLine
from aurora_spawner.failures import FailureType, classify, classify_status, retry_after
from aurora_spawner.models import Permissions, SpawnRequest
from aurora_spawner.tools.adapter import Answer, Facts, Invocation, Notice, Reader, Worked
from aurora_spawner.tools.jsonlines import failure_of, parse_object, text_at, total

__all__ = ["GeminiTool"]

# Without anybody to ask, what would have to be asked for is refused.
_MODES: Mapping[Permissions, str] = {
    "read-only": "default",
    "workspace-write": "auto_edit",
    "full-access": "yolo",
}

# What its HTTP library says of a stream that was cut.
_CUT = "[API Error: terminated]"

_RETRYING = re.compile(
    r"Attempt (\d+) failed(?: with (?:status )?(\d{3}|5xx)\b[^.]*)?\. "
    r"Retrying(?: with backoff\.\.\.)?"
)

# Its own exit codes; from 144 on they are an HTTP status less 256.
_BY_EXIT = {
    41: FailureType.AUTH,
    42: FailureType.INVALID_REQUEST,
    52: FailureType.INVALID_REQUEST,
    55: FailureType.FORBIDDEN,
}
_FIRST_STATUS = 400 - 256


class GeminiTool:
    """The `gemini` CLI."""

    name = "gemini"
    executable = "gemini"
    install = "npm install -g @google/gemini-cli"
    tested = ("0.61.0",)
    structured = True
    streams = True
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["gemini", "--output-format=stream-json"]
        argv.append(f"--approval-mode={_MODES[request.permissions]}")
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv.append(f"--resume={request.session_id}")
        # It would start itself a second time, in a parent that ignores TERM.
        env = {"GEMINI_CLI_NO_RELAUNCH": "true"}
        return Invocation(tuple(argv), request.prompt.encode(), env)

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _GeminiReader()


class _GeminiReader:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._begin: dict[str, object] = {}
        self._result: dict[str, object] = {}
        self._error: str | None = None
        self._tools: set[str] = set()

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"):
            case "init":
                self._begin = event
            case "message" if event.get("role") == "assistant":
                said = str(event.get("content") or "")
                self._texts.append(said)
                return [OutputLine("stdout", line) for line in said.splitlines()]
            case "tool_use":
                # The answer is what is said after the last tool; before, it talks of its work.
                self._texts.clear()
                self._tools.add(str(event.get("tool_id")))
                return [Worked(len(self._tools))]
            case "tool_result":
                self._tools.discard(str(event.get("tool_id")))
                return [Worked(len(self._tools))]
            case "error":
                self._error = text_at(event, "message")
            case "result":
                self._result = event
        return ()

    def aside(self, text: str) -> Sequence[Notice]:
        found = _RETRYING.match(text)
        if found is None:
            return ()
        attempt, status = found.groups()
        if status is None:
            # Nobody answered: there is nothing else that it tries again without a status.
            cause = text[found.end() :].strip()
            reason = f"gemini retries {attempt}/10: {cause}"
            return [Retrying(reason, FailureType.CONNECTION)]
        kind = classify_status(500 if status == "5xx" else int(status)) or classify(text)
        reason = f"gemini retries {attempt}/10: status {status}"
        return [Retrying(reason, kind, retry_after(text))]

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        text = "".join(self._texts)
        stats = self._result.get("stats")
        facts = Facts(
            tokens_in=total(stats, "input_tokens"),
            tokens_out=total(stats, "output_tokens"),
            session_id=text_at(self._begin, "session_id"),
            model=text_at(self._begin, "model"),
        )
        if self._result.get("status") == "success":
            return Answer(text, facts=facts)
        if exit_code == 0 and not self._result:
            return Answer(text, "gemini ended without a result", facts=facts)
        told = text_at(self._result, "error", "message") or self._error
        message = told or stderr.strip() or "gemini failed"
        status = exit_code + 256 if exit_code >= _FIRST_STATUS else None
        if message == _CUT:
            return Answer(text, message, FailureType.CONNECTION, facts)
        kind = _BY_EXIT.get(exit_code) or failure_of(message, status)
        return Answer(text, message, kind, facts)
