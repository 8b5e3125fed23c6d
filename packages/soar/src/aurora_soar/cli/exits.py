"""How the commands end: exit codes, the same for people and for scripts."""

from __future__ import annotations

import signal
from enum import IntEnum

__all__ = ["ExitCode", "by_signal"]


class ExitCode(IntEnum):
    """What an exit code says; the ones from 69 on are those of sysexits.h."""

    OK = 0
    FAILED = 1
    """A subgoal has no answer."""
    USAGE = 2
    """The command line or the plan is wrong."""
    LIMIT = 3
    """The time limit of the whole run came first."""
    NO_TOOL = 69
    """The plan is right, but an agent CLI that it needs is not there."""
    BUG = 70
    """Our fault."""
    CANNOT_WRITE = 74
    """Results or progress cannot be written."""
    READER_GONE = 141
    """Whoever read our output has gone away; what a shell says of SIGPIPE."""


def by_signal(number: signal.Signals) -> int:
    """The exit code of a run that a signal ended, as shells say it."""
    return 128 + number
