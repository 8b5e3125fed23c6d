"""Claude Code (`claude -p`), in its streaming JSON mode: it tells of retries as they happen."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_spawner.detection import Pattern
from aurora_spawner.events import OutputLine, Warned
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Answer, Invocation, Notice, Reader
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object

__all__ = ["ClaudeTool"]


class ClaudeTool:
    """The `claude` CLI."""

    name = "claude"
    executable = "claude"
    install = "npm install -g @anthropic-ai/claude-code"
    structured = True
    streams = True
    answers = True
    terminal = (Pattern(b"invalid api key", "authentication error", FailureType.AUTH),)
    notes = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["claude", "-p", "--output-format", "stream-json", "--verbose"]
        if request.model:
            argv.append(f"--model={request.model}")
        return Invocation(tuple(argv), request.prompt.encode())

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _ClaudeReader()


class _ClaudeReader:
    def __init__(self) -> None:
        self._result: dict[str, object] | None = None

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"):
            case "result":
                self._result = event
            case "assistant":
                content = member(event, "message", "content")
                return [
                    OutputLine("stdout", line)
                    for part in (content if isinstance(content, list) else ())
                    for line in str(member(part, "text") or "").splitlines()
                ]
            case "system" if event.get("subtype") == "api_retry":
                attempt, retries = event.get("attempt"), event.get("max_retries")
                return [Warned(f"claude retries {attempt}/{retries}: {event.get('error')}")]
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        if self._result is None:
            return Answer("", "claude ended without a result")
        text = str(self._result.get("result") or "")
        # `subtype` says "success" even then; only `is_error` is the truth.
        if self._result.get("is_error"):
            error = text or str(self._result.get("subtype") or "claude failed")
            return Answer(text, error, failure_of(error, self._result.get("api_error_status")))
        return Answer(text)
