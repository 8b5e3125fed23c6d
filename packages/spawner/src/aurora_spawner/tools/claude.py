"""Claude Code (`claude -p`), in its streaming JSON mode, pieces of messages included.

The pieces are only a sign of life: a long answer takes minutes, and would be silence without them.

How it fails: it retries up to 10 times, for minutes, each told by a line `api_retry`; then comes a
result with `is_error`, though its `subtype` says `success`, after a message of its own making
(model `<synthetic>`) that repeats the error. A second Ctrl-C or TERM ends it with code 143.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aurora_spawner.detection import Pattern, Retrying
from aurora_spawner.events import OutputLine
from aurora_spawner.failures import FailureType
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

__all__ = ["ClaudeTool"]

# Named even where it is the default, so that no settings file widens it.
_MODES: Mapping[Permissions, str] = {
    "read-only": "default",
    "workspace-write": "acceptEdits",
    "full-access": "bypassPermissions",
}


class ClaudeTool:
    """The `claude` CLI."""

    name = "claude"
    executable = "claude"
    install = "npm install -g @anthropic-ai/claude-code"
    tested = ("2.1.197",)
    structured = True
    streams = True
    answers = True
    terminal = (Pattern(b"invalid api key", "authentication error", FailureType.AUTH),)

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["claude", "-p", "--output-format", "stream-json", "--verbose"]
        argv.append("--include-partial-messages")
        argv.append(f"--permission-mode={_MODES[request.permissions]}")
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv.append(f"--resume={request.session_id}")
        env = {} if request.policy.inner_retries else {"CLAUDE_CODE_MAX_RETRIES": "0"}
        return Invocation(tuple(argv), request.prompt.encode(), env)

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _ClaudeReader()


class _ClaudeReader:
    def __init__(self) -> None:
        self._begin: dict[str, object] = {}
        self._result: dict[str, object] = {}
        self._tools: set[str] = set()

    def line(self, text: str) -> Sequence[Notice]:
        # Most lines are pieces, a few words each.
        if text.startswith('{"type":"stream_event"'):
            return ()
        event = parse_object(text)
        match event.get("type"):
            case "result":
                self._result = event
            case "assistant" if member(event, "message", "model") != "<synthetic>":
                return self._message(member(event, "message", "content"))
            case "user":
                return self._message(member(event, "message", "content"), theirs=True)
            case "system" if event.get("subtype") == "init":
                self._begin = event
            case "system" if event.get("subtype") == "api_retry":
                return [_retrying(event)]
        return ()

    def _message(self, content: object, *, theirs: bool = False) -> Sequence[Notice]:
        """What a message shows of the agent's work; what its tools say is `theirs`."""
        notices: list[Notice] = []
        for part in content if isinstance(content, list) else ():
            match member(part, "type"):
                case "tool_use":
                    self._tools.add(str(member(part, "id")))
                    notices.append(Worked(len(self._tools)))
                case "tool_result":
                    self._tools.discard(str(member(part, "tool_use_id")))
                    notices.append(Worked(len(self._tools)))
                case "text" if not theirs:
                    said = str(member(part, "text") or "")
                    notices += [OutputLine("stdout", line) for line in said.splitlines()]
        return notices

    def aside(self, text: str) -> Sequence[Notice]:
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        result = self._result
        facts = self._facts()
        if not result:
            return Answer("", "claude ended without a result", facts=facts)
        text = str(result.get("result") or "")
        # `subtype` says "success" even then; only `is_error` is the truth.
        if result.get("is_error"):
            errors = member(result, "errors")
            told = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
            error = text or told or str(result.get("subtype") or "claude failed")
            return Answer(text, error, failure_of(error, result.get("api_error_status")), facts)
        return Answer(text, facts=facts)

    def _facts(self) -> Facts:
        usage = self._result.get("usage")
        return Facts(
            cost_usd=amount(self._result, "total_cost_usd"),
            tokens_in=total(
                usage, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"
            ),
            tokens_out=total(usage, "output_tokens"),
            session_id=text_at(self._result, "session_id") or text_at(self._begin, "session_id"),
            model=text_at(self._begin, "model"),
            tool_version=text_at(self._begin, "claude_code_version"),
        )


def _retrying(event: Mapping[str, object]) -> Retrying:
    cause = str(event.get("error"))
    reason = f"claude retries {event.get('attempt')}/{event.get('max_retries')}: {cause}"
    delay = amount(event, "retry_delay_ms")
    # A provider asks for whole seconds (Retry-After); claude's own backoff is drawn.
    asked = delay is not None and delay > 0 and delay % 1000 == 0
    status = event.get("error_status")
    # Without a status nobody answered; claude calls that unknown.
    lost = status is None and cause == "unknown"
    kind = FailureType.CONNECTION if lost else failure_of(cause.replace("_", " "), status)
    return Retrying(reason, kind, delay / 1000 if delay and asked else None)
