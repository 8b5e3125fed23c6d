"""What a process can see of itself: its memory, and from a thread of its own, what a peer does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "await_children",
    "children_cpu",
    "descriptors",
    "growth",
    "kill_children",
    "resident",
    "threads",
    "wake_ups",
]

_TASKS = Path("/proc/self/task")


def _children() -> list[int]:
    found: list[int] = []
    for thread in _threads():
        try:
            found += map(int, (thread / "children").read_text().split())
        except OSError:
            continue
    return found


def await_children(count: int) -> None:
    """Wait until this process has `count` children, and another moment until it is at rest."""
    while len(_children()) < count:
        time.sleep(0.05)
    time.sleep(0.5)


def kill_children() -> None:
    """End them."""
    for pid in _children():
        os.kill(pid, signal.SIGKILL)


def children_cpu() -> float:
    """Seconds for which the children that live now have been on a processor."""
    total = 0
    for pid in _children():
        try:
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split(None, 1)[0])
        except OSError:
            continue
    return total / 1e9


def resident() -> int:
    """Bytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def growth() -> Iterator[Callable[[], int]]:
    """Yield a function that tells how many bytes more were in memory at the block's peak.

    Not `ru_maxrss`: that one begins with the peak of whoever started this process.
    """
    Path("/proc/self/clear_refs").write_text("5")
    before = resident()
    yield lambda: max(0, _peak() - before)


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("\nVmHWM:")[2].split(None, 1)[0]) * 1024


def descriptors() -> int:
    """How many are open."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """How many there are."""
    return len(list(_TASKS.iterdir()))


def wake_ups() -> int:
    """How often the threads of this process, the caller left out, have begun to wait."""
    own = str(threading.get_native_id())
    total = 0
    for thread in _threads():
        if thread.name == own:
            continue
        try:
            status = (thread / "status").read_text()
        except OSError:
            continue
        total += int(status.partition("\nvoluntary_ctxt_switches:")[2].split(None, 1)[0])
    return total


def _threads() -> Iterator[Path]:
    yield from _TASKS.iterdir()
