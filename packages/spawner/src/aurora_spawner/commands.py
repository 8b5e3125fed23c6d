"""What Aurora's commands share: how they end, what signals mean to them, where their words go.

Ctrl-C once: nothing new starts, what runs may finish. Twice, or SIGTERM, or SIGHUP: agents are
ended. Ctrl-Z: agents pause with us. A signal that was ignored when we started (nohup, a job in the
background) stays ignored.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from aurora_spawner.process import suspend

__all__ = [
    "ExitCode",
    "Interrupts",
    "LoggedWarnings",
    "exit_by_signal",
    "give_streams",
    "output_lost",
    "report_bug",
]


class ExitCode(IntEnum):
    """What an exit code says; the ones from 69 on are those of sysexits.h."""

    OK = 0
    FAILED = 1
    """Something has no answer."""
    USAGE = 2
    """The command line, the input or the plan is wrong."""
    LIMIT = 3
    """The time limit of the whole run came first."""
    NO_TOOL = 69
    """An agent CLI that is needed is not there."""
    BUG = 70
    """Our fault."""
    CANNOT_WRITE = 74
    """Results or progress cannot be written."""
    READER_GONE = 141
    """Whoever read our output has gone away; what a shell says of SIGPIPE."""


def exit_by_signal(number: signal.Signals) -> int:
    """The exit code of a run that a signal ended, as shells say it."""
    return 128 + number


class LoggedWarnings(logging.Handler):
    """Passes what is logged, warnings and worse, on to `say` while it is entered."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say the message and its exception; a traceback would be no use on a screen."""
        raised = record.exc_info[1] if record.exc_info else None
        self._say(record.getMessage() + (f": {raised!r}" if raised else ""))

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self)

    def __exit__(self, *exception: object) -> None:
        logging.getLogger().removeHandler(self)


class Interrupts:
    """Listens for signals on the running loop while it is entered.

    Args:
        stop: Set at the first Ctrl-C.
        cancel: Called when agents are to be ended; once.
        say: Tells people what happens now.

    Attributes:
        received: The last signal that ends the run; None if there was none.
    """

    def __init__(
        self, stop: asyncio.Event, cancel: Callable[[], object], say: Callable[[str], None]
    ) -> None:
        self.received: signal.Signals | None = None
        self._stop = stop
        self._cancel = cancel
        self._say = say
        self._ending = False

    def __enter__(self) -> Interrupts:
        loop = asyncio.get_running_loop()
        heard: dict[signal.Signals, Callable[[signal.Signals], None]] = {
            signal.SIGINT: self._end,
            signal.SIGTERM: self._end,
            signal.SIGHUP: self._end,
            signal.SIGTSTP: lambda _: suspend(),
        }
        self._heard = [each for each in heard if signal.getsignal(each) != signal.SIG_IGN]
        for each in self._heard:
            loop.add_signal_handler(each, heard[each], each)
        return self

    def __exit__(self, *exception: object) -> None:
        loop = asyncio.get_running_loop()
        for each in self._heard:
            loop.remove_signal_handler(each)

    def _end(self, number: signal.Signals) -> None:
        self.received = number
        if number == signal.SIGINT and not self._stop.is_set():
            self._stop.set()
            self._say("Ctrl-C: nothing new starts, agents may finish; again to end them")
        elif not self._ending:
            self._ending = True
            self._stop.set()
            self._cancel()
            self._say(f"{number.name}: ending the agents")


def give_streams() -> None:
    """Give a standard stream that was closed before we started a place to go; it is None.

    What is opened takes the lowest free descriptor, so no other file of ours ends up as output.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(descriptor, "r" if name == "stdin" else "w"))  # noqa: SIM115


def output_lost(command: str, error: OSError) -> ExitCode:
    """An output cannot be written: say so, if anybody can hear it; returns the exit code."""
    gone = error.errno == errno.EPIPE
    if not gone:
        print(f"{command}: cannot write: {error}", file=sys.stderr)
    # What our streams still hold must not be written, and fail again, when Python exits.
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
    return ExitCode.READER_GONE if gone else ExitCode.CANNOT_WRITE


def report_bug(command: str, error: Exception) -> ExitCode:
    """Say in one line that it is our fault, and where the traceback is; returns the exit code."""
    # Needed in the worst case only, and slow to import.
    import tempfile

    with tempfile.NamedTemporaryFile(
        "w", prefix=f"{command}-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    print(f"{command}: a bug of ours: {error!r}; the traceback is in {file.name}", file=sys.stderr)
    return ExitCode.BUG
