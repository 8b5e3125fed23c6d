"""Qwen Code (`qwen -o stream-json`) as a tool of aurora-spawner, in a package of its own.

    pip install ./packages/spawner/examples/qwen
    aurora-spawn --list-tools
    aurora-spawn --tool qwen 'Review {}' ::: src/*.py

How it fails: it exits with 0 and says `is_error: false`, and its answer is `[API Error: ...]`, in a
message for which no model wrote a token. It retries a refusal in silence, and nothing turns that
off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aurora_spawner import OutputLine, Permissions
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools import (
    Answer,
    Facts,
    Invocation,
    Notice,
    Pattern,
    Reader,
    Worked,
    failure_of,
    member,
    parse_object,
    text_at,
    total,
)

__all__ = ["QwenTool"]

_MODES: Mapping[Permissions, str] = {
    "read-only": "default",
    "workspace-write": "auto-edit",
    "full-access": "yolo",
}

_API_ERROR = re.compile(r"\[API Error: (?:(\d{3}) )?(.*)\]\s*", re.DOTALL)


class QwenTool:
    """The `qwen` CLI."""

    name = "qwen"
    executable = "qwen"
    install = "npm install -g @qwen-code/qwen-code"
    tested = ("0.15.10",)
    structured = True
    streams = True
    answers = True
    terminal: Sequence[Pattern] = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["qwen", "--output-format=stream-json"]
        argv.append(f"--approval-mode={_MODES[request.permissions]}")
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv.append(f"--resume={request.session_id}")
        # It would start itself a second time, in a parent that ignores TERM.
        env = {"QWEN_CODE_NO_RELAUNCH": "true"}
        return Invocation(tuple(argv), request.prompt.encode(), env)

    def reader(self) -> Reader:
        """Reads the event stream."""
        return _QwenReader()


class _QwenReader:
    def __init__(self) -> None:
        self._begin: dict[str, object] = {}
        self._result: dict[str, object] = {}
        self._wrote = 0

    def line(self, text: str) -> Sequence[Notice]:
        event = parse_object(text)
        match event.get("type"):
            case "system" if event.get("subtype") == "init":
                self._begin = event
            case "assistant":
                self._wrote = total(member(event, "message", "usage"), "output_tokens") or 0
                if self._wrote:
                    return _shown(member(event, "message", "content"))
            case "result":
                self._result = event
        return ()

    def aside(self, text: str) -> Sequence[Notice]:
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        usage = self._result.get("usage")
        facts = Facts(
            tokens_in=total(usage, "input_tokens"),
            tokens_out=total(usage, "output_tokens"),
            session_id=text_at(self._begin, "session_id"),
            model=text_at(self._begin, "model"),
            tool_version=text_at(self._begin, "qwen_code_version"),
        )
        if not self._result:
            return Answer("", "qwen ended without a result", facts=facts)
        text = str(self._result.get("result") or "")
        # An agent may well be asked to write about such errors: then it wrote tokens.
        found = None if self._wrote else _API_ERROR.fullmatch(text)
        if found is not None:
            status = int(found[1]) if found[1] else None
            return Answer("", found[2], failure_of(found[2], status), facts)
        if self._result.get("is_error"):
            error = text or str(member(self._result, "error", "message") or "qwen failed")
            return Answer(text, error, facts=facts)
        return Answer(text, facts=facts)


def _shown(content: object) -> Sequence[Notice]:
    parts = content if isinstance(content, list) else ()
    lines = [
        OutputLine("stdout", line)
        for part in parts
        for line in str(member(part, "text") or "").splitlines()
    ]
    return lines or [Worked()]
