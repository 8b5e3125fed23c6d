"""What goes into a process and what comes out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from aurora_spawner.detection import Detection
from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.output import Capture
from aurora_spawner.policy import Isolation, Leftovers, positive_seconds

__all__ = ["Limits", "Observer", "ProcessResult", "StartError", "Stream"]

Stream: TypeAlias = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process.

    Attributes:
        timeout: Seconds from launch after which it is ended.
        output_bytes: Bytes of standard output kept.
        stderr_bytes: Bytes of standard error kept.
        grace: Seconds between TERM and KILL.
        drain: Seconds that descendants may hold the pipes open after the process has exited.
        leftovers: What becomes of descendants that outlive the process: `kill`, or `report` to
            let them live and only name them in the result.
        keep: Names of programs that are let live all the same, such as `gpg-agent`.
        isolation: `pid-namespace` starts the process in a PID namespace of its own (Linux, by
            util-linux's `unshare`): nothing can leave it, and everything dies with it.
    """

    timeout: float = 300.0
    output_bytes: int = 8 * 2**20
    stderr_bytes: int = 2**20
    grace: float = 5.0
    drain: float = 0.2
    leftovers: Leftovers = "kill"
    keep: tuple[str, ...] = ()
    isolation: Isolation = "none"

    def validate(self) -> None:
        """Find misuse before anything starts.

        Raises:
            InvalidTaskError: A time or a size is negative or no number.
        """
        positive_seconds("timeout", self.timeout)
        for field in ("grace", "drain", "output_bytes", "stderr_bytes"):
            value = getattr(self, field)
            if not (isinstance(value, (int, float)) and 0 <= value < math.inf):
                raise InvalidTaskError(field, f"must be a number, 0 or more, not {value!r}")


@dataclass(frozen=True, slots=True)
class StartError:
    """Why no process could be started.

    Attributes:
        kind: Which of the ways a start can fail.
        message: The cause and the remedy, for people.
    """

    kind: Literal[
        "not_found",
        "not_executable",
        "bad_interpreter",
        "wrong_format",
        "missing_cwd",
        "too_long",
        "no_resources",
        "other",
    ]
    message: str


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What became of a process.

    Attributes:
        exit_code: 0-255, or minus the signal number; -1 also when it could not be started.
        stdout: Its standard output, bounded.
        stderr: Its standard error, bounded.
        duration: Seconds from launch to reap.
        stopped: Why we ended it; None if it ended by itself.
        stopped_after: Seconds from launch to that decision.
        leaked: Descendants held its pipes after it had exited.
        leftovers: The programs that outlived it, as `name (pid)`; killed, or let live by
            `Limits.leftovers` and `Limits.keep`.
        unread_input: It closed its standard input, or exited, before it had read all of it.
        start_error: Why it could not be started.
        peak_memory: Bytes that the largest of its processes held at once; None if nobody knows.
            Linux tells no less than what this program held itself when it started the process.
    """

    exit_code: int
    stdout: Capture
    stderr: Capture
    duration: float = 0.0
    stopped: Detection | None = None
    stopped_after: float | None = None
    leaked: bool = False
    leftovers: tuple[str, ...] = ()
    unread_input: bool = False
    start_error: StartError | None = None
    peak_memory: int | None = None


class Observer(Protocol):
    """Who looks on while a process runs, and may end it. A `Watch` is one."""

    def saw(self, stream: Stream, data: bytes, now: float) -> Detection | None:
        """Output came; a detection ends the process."""

    def due(self) -> float:
        """When `check` is to be asked next, on the loop's clock."""

    def check(self, now: float) -> Detection | None:
        """Time has passed; a detection ends the process."""

    def shift(self, seconds: float) -> None:
        """The process was paused for so long: the time counts for nothing."""
