"""What a tool is: how to call an agent CLI and how to read its answer.

An adapter only translates. What is done about a failure or a retry that it recognises is decided
in one place for all of them (`detection`, `execution`, `recovery`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from aurora_spawner.detection import Detection, Pattern, Retrying
from aurora_spawner.events import OutputLine, Warned
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest

__all__ = [
    "Answer",
    "Facts",
    "Invocation",
    "Notice",
    "Reader",
    "Reply",
    "TextReader",
    "Tool",
    "Worked",
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a tool.

    Attributes:
        argv: Program and arguments; never holds the prompt, which other users could read in `ps`.
        stdin: The prompt, in UTF-8.
        env: Variables added to the environment.
        reader: Reads this call's output in the place of `Tool.reader`, and answers it: standard
            input stays open for its replies, until it hangs up.
    """

    argv: tuple[str, ...]
    stdin: bytes
    env: Mapping[str, str] = field(default_factory=dict)
    reader: Reader | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the tool told about the call beside its answer; the fields are those of `SpawnResult`.

    None is what it did not tell.
    """

    cost_usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    session_id: str | None = None
    model: str | None = None
    tool_version: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tool said at its end.

    Attributes:
        text: The final answer; empty if there is none.
        error: What the tool itself reports as its failure; None if it reports none.
        failure_type: The kind of that failure, where the tool tells it.
        facts: What it told beside.
        settled: It was complete before the tool ended; how it ended then says nothing any more.
    """

    text: str
    error: str | None = None
    failure_type: FailureType | None = None
    facts: Facts = Facts()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Worked:
    """The agent did something that is not shown: it called a tool of its own, for example.

    Attributes:
        tools: How many tools of its own it runs now; as long as one does, silence is healthy.
    """

    tools: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the tool is to be told now; see `Invocation.reader`.

    Attributes:
        data: For its standard input.
        last: Then close it.
    """

    data: bytes = b""
    last: bool = False


Notice: TypeAlias = OutputLine | Warned | Worked | Retrying | Reply | Detection
"""What a line of output can mean: something to show or to warn of, a sign of work, a retry inside
the tool, something to answer, or a reason to stop. A line to show is a sign of work too."""


class Reader(Protocol):
    """Reads the output of one attempt."""

    def line(self, text: str) -> Sequence[Notice]:
        """Take a line of standard output as it comes."""

    def aside(self, text: str) -> Sequence[Notice]:
        """Take a line of standard error as it comes.

        It is prose: only what an anchored pattern of the tool's own recognises means anything.
        """

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        """Tell the answer once the tool has exited; both texts are bounded."""


class Tool(Protocol):
    """One agent CLI, or any program.

    Attributes:
        name: What plans and calls name it by.
        executable: What is looked for on PATH; empty where the call names the program.
        install: How to get it, for the error when it is missing.
        tested: The versions that it was tested with, oldest first.
        structured: Its output is for programs: lines go to `Reader.line` and `Reader.aside`, and
            standard output is not shown as it is.
        streams: A healthy run shows its work as it goes, so long silence means a stall.
        answers: The tool is asked for text, so that no text is a failure.
        terminal: Phrases on standard error that it cannot recover from.
    """

    @property
    def name(self) -> str: ...
    @property
    def executable(self) -> str: ...
    @property
    def install(self) -> str: ...
    @property
    def tested(self) -> Sequence[str]: ...
    @property
    def structured(self) -> bool: ...
    @property
    def streams(self) -> bool: ...
    @property
    def answers(self) -> bool: ...
    @property
    def terminal(self) -> Sequence[Pattern]: ...

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

    def aside(self, text: str) -> Sequence[Notice]:
        """Nothing either."""
        return ()

    def answer(self, exit_code: int, stdout: str, stderr: str) -> Answer:
        """All of standard output."""
        return Answer(stdout)
