"""opencode (`opencode run`), in its JSON mode."""

from __future__ import annotations

from collections.abc import Sequence

from aurora_spawner.events import OutputLine
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Answer, Invocation, Notice, Reader
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object

__all__ = ["OpencodeTool"]


class OpencodeTool:
    """The `opencode` CLI."""

    name = "opencode"
    executable = "opencode"
    install = "npm install -g opencode-ai"
    structured = True
    streams = True
    answers = True
    terminal = ()
    notes = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["opencode", "run", "--format=json"]
        if request.model:
            argv.append(f"--model={request.model}")
        return Invocation(tuple(argv), request.prompt.encode())

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _OpencodeReader()


class _OpencodeReader:
    def __init__(self) -> None:
        self._texts: list[str] = []
        self._error: str | None = None
        self._status: object = None

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"):
            case "step_start":
                # The answer is what the last step says; earlier ones talk about their work.
                self._texts.clear()
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

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        text = "".join(self._texts)
        if self._error is not None:
            return Answer(text, self._error, failure_of(self._error, self._status))
        return Answer(text)
