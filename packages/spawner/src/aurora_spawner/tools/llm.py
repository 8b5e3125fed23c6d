"""llm (`llm --json`): a question and an answer, no tools; one JSON document at its end.

How it fails: its client tries three times, in silence, obeying Retry-After; then it says
`Error: ...` on standard error, exit 1. It has no permissions to give, and nothing turns its
retries off. It keeps no session of what failed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Answer, Facts, Invocation, Notice, Reader
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object, text_at, total

__all__ = ["LlmTool"]

_ERROR = re.compile(r"^Error: (?:Error code: (\d{3}) - )?(.*)", re.MULTILINE | re.DOTALL)


class LlmTool:
    """The `llm` CLI."""

    name = "llm"
    executable = "llm"
    install = "pip install llm"
    tested = ("0.36",)
    structured = True
    streams = False
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Prompt on standard input."""
        argv = ["llm", "--json"]
        if request.model:
            argv.append(f"--model={request.model}")
        if request.session_id:
            argv.append(f"--conversation={request.session_id}")
        return Invocation(tuple(argv), request.prompt.encode())

    def reader(self) -> Reader:
        """Reads the document."""
        return _LlmReader()


class _LlmReader:
    def line(self, text: str) -> Sequence[Notice]:
        return ()

    def aside(self, text: str) -> Sequence[Notice]:
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        responses = parse_object(f'{{"responses": {stdout}}}').get("responses")
        said = responses[-1] if isinstance(responses, list) and responses else None
        facts = Facts(
            tokens_in=total(said, "input_tokens"),
            tokens_out=total(said, "output_tokens"),
            session_id=text_at(said, "conversation_id"),
            model=text_at(said, "model"),
        )
        text = str(member(said, "response") or "")
        # An answer may well speak of errors: only the exit code makes a failure (F12).
        found = _ERROR.search(stderr)
        if exit_code == 0 or found is None:
            return Answer(text, facts=facts)
        status = int(found[1]) if found[1] else None
        message = stderr[found.start() :].strip().removeprefix("Error: ")
        return Answer(text, message, failure_of(message, status), facts)
