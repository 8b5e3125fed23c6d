"""What a tool is: how to call an agent CLI and how to read its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from aurora_spawner.detection import Detection, Pattern
from aurora_spawner.events import OutputLine, Warned
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest

__all__ = ["Answer", "Invocation", "Notice", "Reader", "TextReader", "Tool"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a tool.

    Attributes:
        argv: Program and arguments; never holds the prompt, which other users could read in `ps`.
        stdin: The prompt, in UTF-8.
        env: Variables added to the environment.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tool said at its end.

    Attributes:
        text: The final answer; empty if there is none.
        error: What the tool itself reports as its failure; None if it reports none.
        failure_type: The kind of that failure, where the tool tells it.
    """

    text: str
    error: str | None = None
    failure_type: FailureType | None = None


Notice: TypeAlias = OutputLine | Warned | Detection
"""What a line of output can mean: something to show, to warn of, or to stop because of."""


class Reader(Protocol):
    """Reads the output of one attempt."""

    def line(self, text: str) -> Sequence[Notice]:
        """Take a line of standard output as it comes; called for structured tools only."""

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        """Tell the answer once the tool has exited; both texts are bounded."""


class Tool(Protocol):
    """One agent CLI, or any program.

    Attributes:
        name: What plans and calls name it by.
        executable: What is looked for on PATH; empty where the call names the program.
        install: How to get it, for the error when it is missing.
        structured: Standard output is one JSON object a line and goes to `Reader.line`.
        streams: A healthy run shows its work as it goes, so long silence means a stall.
        answers: The tool is asked for text, so that no text is a failure.
        terminal: Phrases on standard error that it cannot recover from.
        notes: Phrases on standard error worth a warning.
    """

    @property
    def name(self) -> str: ...
    @property
    def executable(self) -> str: ...
    @property
    def install(self) -> str: ...
    @property
    def structured(self) -> bool: ...
    @property
    def streams(self) -> bool: ...
    @property
    def answers(self) -> bool: ...
    @property
    def terminal(self) -> Sequence[Pattern]: ...
    @property
    def notes(self) -> Sequence[Pattern]: ...

    def invocation(self, request: SpawnRequest) -> Invocation:
        """How to call it.

        Raises:
            InvalidTaskError: The request cannot be put to this tool.
        """

    def reader(self) -> Reader:
        """A fresh reader for one attempt."""


class TextReader:
    """Reads a tool whose answer is its standard output."""

    def line(self, text: str) -> Sequence[Notice]:
        """Nothing: plain text proves nothing before its end."""
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        """All of standard output."""
        return Answer(stdout)
