"""Gemini CLI (`gemini -o json`): one JSON document at its end, failures as JSON on stderr."""

from __future__ import annotations

from aurora_spawner.detection import Pattern
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Answer, Invocation, Reader, TextReader
from aurora_spawner.tools.jsonlines import failure_of, member, parse_object

__all__ = ["GeminiTool"]


class GeminiTool:
    """The `gemini` CLI."""

    name = "gemini"
    executable = "gemini"
    install = "npm install -g @google/gemini-cli"
    structured = False
    streams = False
    answers = True
    terminal = ()
    notes = (Pattern(b"failed with status 429", "rate limit", FailureType.RATE_LIMIT),)

    def invocation(self, request: SpawnRequest) -> Invocation:
        """Headless, prompt on standard input."""
        argv = ["gemini", "--output-format=json"]
        if request.model:
            argv.append(f"--model={request.model}")
        # It would start itself a second time, in a parent that ignores TERM.
        env = {"GEMINI_CLI_NO_RELAUNCH": "true"}
        return Invocation(tuple(argv), request.prompt.encode(), env)

    def reader(self) -> Reader:
        """Reads the document."""
        return _GeminiReader()


class _GeminiReader(TextReader):
    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        response = str(member(parse_object(stdout), "response") or "")
        if exit_code == 0:
            return Answer(response)
        # Log lines may stand before the document on standard error.
        failure = parse_object(stderr[max(stderr.find("{"), 0) :])
        message = str(member(failure, "error", "message") or stderr.strip() or "gemini failed")
        return Answer(response, message, failure_of(message, member(failure, "error", "code")))
