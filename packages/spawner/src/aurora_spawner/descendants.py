"""Who descends from whom, by /proc; and the program that ends them when nobody else can.

A descendant is known by either of two marks: its line of parents leads to us, or its environment
bears our cookie. A daemon that has left its parents still bears the cookie, unless it scrubbed its
environment; one that did is found by an ancestor that adopts orphans (a subreaper).

This file is also run as a program (`python -I -S descendants.py ...`) by `supervisor`, and so
imports nothing but the standard library, and little of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = [
    "COOKIE",
    "TABLE_SLOTS",
    "Process",
    "bears",
    "childless",
    "end_all",
    "ids",
    "last_process_id",
    "line_of",
    "look",
    "main",
    "processes",
    "read_table",
    "reap",
    "send",
    "settled_words",
    "words",
]

COOKIE = "AURORA_SPAWN_COOKIE"
"""The variable that marks what we started: one word for each of us between it and the root."""

TABLE_SLOTS = 32 * 1024
"""Slots of the table of running groups: as many as there can be processes by default."""

_SLOT = struct.Struct("i")

# A killed process is gone within a millisecond; one in uninterruptible sleep may take for ever.
_GONE_WITHIN = 0.25

# Looks at an environment that seems empty.
_GLANCES = 5

# New processes can be born while others die, so that one round may not be the last.
_ROUNDS = 50

# So many looks in a row that find nothing are believed. One can miss who is born while it looks, of
# a parent that has ended before its turn to be looked at (daemons fork twice).
_BELIEVED = 2


class Process(NamedTuple):
    """A process as /proc shows it.

    Attributes:
        pid: Its id.
        parent: Its parent's id.
        group: Its process group.
        started: Clock ticks from boot to its start; with the id it is unique.
        name: The name of its program, at most 15 characters.
    """

    pid: int
    parent: int
    group: int
    started: int
    name: str


def ids() -> Iterator[int]:
    """The id of every process that can be seen; none where there is no /proc."""
    try:
        entries = os.listdir("/proc")
    except OSError:
        return
    yield from (int(entry) for entry in entries if entry.isdigit())


def processes() -> Iterator[Process]:
    """Every process that can be seen, zombies left out."""
    for pid in ids():
        found = look(pid)
        if found is not None:
            yield found


def look(pid: int) -> Process | None:
    """The process of that id; None if there is none, or only a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(1024)
    except OSError:
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses.
    name = stat[stat.find(b"(") + 1 : stat.rfind(b")")]
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] == b"X":
        return None
    # One of several threads can have ended first: its process, and who descends from it, lives.
    if fields[0] == b"Z" and int(fields[17]) < 2:
        return None
    started = int(fields[19])
    return Process(pid, int(fields[1]), int(fields[2]), started, name.decode("utf-8", "replace"))


def words(process: Process) -> tuple[bytes, ...] | None:
    """The words of the cookie in a process's environment; None while that is empty.

    It is for a moment when a process becomes another program, and for good if it was started so.
    """
    try:
        with open(f"/proc/{process.pid}/environ", "rb", buffering=0) as file:
            environment = file.read()
    except OSError:
        return ()
    if not environment:
        return None
    start = environment.find(COOKIE.encode() + b"=")
    if start < 0:
        return ()
    return tuple(environment[start:].partition(b"\0")[0].partition(b"=")[2].split())


def settled_words(process: Process) -> tuple[bytes, ...]:
    """Like `words`, but waits out the moment in which a process becomes another program."""
    for _ in range(_GLANCES):
        found = words(process)
        if found is not None:
            return found
        time.sleep(0.0005)
    return ()


def bears(process: Process, word: bytes) -> bool:
    """Whether the process's environment bears that word of the cookie, or one that begins so."""
    return any(each.startswith(word) for each in settled_words(process))


def line_of(root: int, everyone: Iterable[Process]) -> list[Process]:
    """The processes whose line of parents leads to `root`, itself left out."""
    children: dict[int, list[Process]] = {}
    for process in everyone:
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        for child in children.pop(waiting.pop(), ()):
            found.append(child)
            waiting.append(child.pid)
    return found


def last_process_id() -> int:
    """The id that was given last in this namespace; -1 where that cannot be known."""
    try:
        # A file object would cost as much again, and this is asked once for every child.
        descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return int(os.read(descriptor, 128).rpartition(b" ")[2])
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return -1


def send(process: Process, number: int) -> None:
    """Signal exactly this process, never a stranger that got its id."""
    descriptor = _signalled(process, number)
    if descriptor is not None:
        os.close(descriptor)


def _signalled(process: Process, number: int) -> int | None:
    """Signal a process; a descriptor that is readable once it is gone, None if it already is."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, AttributeError):
        return None
    current = look(process.pid)
    try:
        if current is not None and current.started == process.started:
            signal.pidfd_send_signal(descriptor, number)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def end_all(
    find: Callable[[], Iterable[Process]], nobody_left: Callable[[], bool] = lambda: True
) -> None:
    """Kill what `find` finds and wait for it, within a bound, until it finds nothing more.

    Args:
        find: Looks for those who have to end.
        nobody_left: Asked when looks have found nothing; if it is false, they go on.
    """
    in_vain = 0
    for _ in range(_ROUNDS):
        victims = list(find())
        in_vain = 0 if victims else in_vain + 1
        if in_vain >= _BELIEVED and nobody_left():
            return
        killed = [_signalled(victim, signal.SIGKILL) for victim in victims]
        _wait_gone({descriptor for descriptor in killed if descriptor is not None})


def _wait_gone(descriptors: set[int]) -> None:
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + _GONE_WITHIN
    left = set(descriptors)
    while left:
        gone = waiting.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not gone:
            break
        for descriptor, _ in gone:
            waiting.unregister(descriptor)
            left.discard(descriptor)
    for descriptor in descriptors:
        os.close(descriptor)


def reap() -> dict[int, int]:
    """Reap every child that has ended; their wait statuses by their ids."""
    found = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            found[pid] = status
    return found


def childless() -> bool:
    """Whether this process has no child, once those that have ended are reaped.

    For one that adopts orphans it is the proof that nobody descends from it: every line of parents
    that leads to it ends in a child.
    """
    reap()
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def read_table(descriptor: int) -> tuple[set[int], set[int]]:
    """The table of running groups: process groups to end, and processes to keep."""
    size = TABLE_SLOTS * _SLOT.size
    content = os.pread(descriptor, size, 0)
    slots = [value for (value,) in _SLOT.iter_unpack(content) if value]
    return {value for value in slots if value > 0}, {-value for value in slots if value < 0}


def _end_what_is_left(table: int, word: bytes, *, adopts: bool) -> None:
    """End the groups of the table, what bears the cookie and, as an ancestor, what descends."""
    own = os.getpid()

    def victims() -> list[Process]:
        groups, kept = read_table(table)
        everyone = [process for process in processes() if process.pid != own]
        safe = {process.pid for keeper in kept for process in line_of(keeper, everyone)} | kept
        below = {process.pid for process in line_of(own, everyone)} if adopts else set()
        return [
            process
            for process in everyone
            if process.pid not in safe
            and (process.pid in below or process.group in groups or bears(process, word))
        ]

    def nobody_left() -> bool:
        _, kept = read_table(table)
        # Those who are kept come to an ancestor as well: then it has no proof.
        return not adopts or bool(kept) or childless()

    end_all(victims, nobody_left)


def main(arguments: list[str]) -> None:
    """Wait for the death of those who started us, then end what they left.

    Arguments: `lifeline TABLE WORD` is a helper beside a program: its lifeline is standard input.
    `ancestor TABLE WORD WORKER LIFELINE STATUS` is the parent of a command's worker: it also
    reaps, and when nothing is left writes the worker's wait status as text to STATUS.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    role, table, word, *more = arguments
    if role == "lifeline":
        os.read(0, 1)
        _end_what_is_left(int(table), word.encode(), adopts=False)
    else:
        worker, lifeline, status = map(int, more)
        ended = _stand_above(worker, lifeline)
        _end_what_is_left(int(table), word.encode(), adopts=True)
        if ended is not None:
            # Last, because without it the relay ends what is left; it may well be gone itself.
            with contextlib.suppress(OSError):
                os.write(status, f"{ended}\n".encode())


def _stand_above(worker: int, lifeline: int) -> int | None:
    """Reap until the worker or the one who holds the lifeline is gone; the worker's wait status."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    waiting = select.poll()
    waiting.register(woken, select.POLLIN)
    waiting.register(lifeline, select.POLLIN)
    while True:
        ended = reap().get(worker)
        if ended is not None:
            return ended
        for descriptor, _ in waiting.poll():
            if descriptor == lifeline:
                return None
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)


if __name__ == "__main__":
    main(sys.argv[1:])
