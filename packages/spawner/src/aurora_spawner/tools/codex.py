"""OpenAI Codex (`codex exec`), in its JSON mode, with a sandbox that may only read."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_spawner.events import OutputLine
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Answer, Invocation, Notice, Reader
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object

__all__ = ["CodexTool"]


class CodexTool:
    """The `codex` CLI. It shows no text until its answer is complete."""

    name = "codex"
    executable = "codex"
    install = "npm install -g @openai/codex"
    structured = True
    streams = False
    answers = True
    terminal = ()
    notes = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input (`-`)."""
        argv = ["codex", "exec", "--json", "--skip-git-repo-check", "--sandbox=read-only"]
        if request.model:
            argv.append(f"--model={request.model}")
        return Invocation((*argv, "-"), request.prompt.encode())

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _CodexReader()


class _CodexReader:
    def __init__(self) -> None:
        self._message = ""
        self._error: str | None = None

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"):
            case "item.completed" if member(event, "item", "type") == "agent_message":
                self._message = str(member(event, "item", "text") or "")
                return [OutputLine("stdout", line) for line in self._message.splitlines()]
            case "turn.failed":
                # Items of type `error` are only remarks; a failed turn is the failure.
                self._error = str(member(event, "error", "message") or "codex failed")
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        if self._error is not None:
            return Answer(self._message, self._error, failure_of(self._error))
        return Answer(self._message)
