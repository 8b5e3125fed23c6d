"""Which processes there are, seen from outside: an orphan of ours comes back to us.

Nothing here asks the code under fire; the kernel tells, also of daemons that hide from it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Collection

import psutil

__all__ = [
    "adopt_orphans",
    "command_line",
    "descendants",
    "is_alive",
    "only_child",
    "parent_of",
    "reap",
]

# linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36

Gone = psutil.NoSuchProcess


def adopt_orphans() -> None:
    """From now on whoever below us loses its parent becomes our child."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except Gone:
        return False


def descendants(process: psutil.Process | None = None) -> list[psutil.Process]:
    """All that run below a process, or below this one; the oldest first."""
    try:
        below = (process or psutil.Process()).children(recursive=True)
    except Gone:
        return []
    return sorted(filter(is_alive, below), key=lambda each: (each.create_time(), each.pid))


def only_child(process: psutil.Process) -> psutil.Process | None:
    """Its first child, if it has one."""
    try:
        return next(filter(is_alive, process.children()), None)
    except Gone:
        return None


def parent_of(process: psutil.Process) -> int | None:
    """Its parent's id, as long as it is there."""
    try:
        return process.ppid()
    except Gone:
        return None


def command_line(process: psutil.Process) -> str:
    """Its program and arguments; nothing once it is gone."""
    try:
        return " ".join(process.cmdline())
    except (Gone, psutil.AccessDenied):
        return ""


def reap(but: Collection[int]) -> None:
    """Bury the orphans that came to us and have ended; others wait for the ones in `but`."""
    for child in psutil.Process().children():
        if child.pid not in but:
            with contextlib.suppress(ChildProcessError, Gone):
                if child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
