"""Which processes there are, for tests: looked up apart from the code that ends them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Seen", "children", "is_running"]

# Looks at arguments that seem empty.
_GLANCES = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as /proc/PID/stat shows it.

    Attributes:
        pid: Its id.
        parent: Its parent's id.
        state: One letter; Z is a zombie, X is dead.
        started: Clock ticks from boot to its start; with the id it is unique.
    """

    pid: int
    parent: int
    state: str
    started: int

    @property
    def ended(self) -> bool:
        """It has ended, and nobody may have reaped it yet."""
        return self.state in "ZX"

    def command(self) -> str:
        """Its program and arguments; nothing once it has ended."""
        # While a process becomes another program it has no arguments for a moment.
        for _ in range(1 if self.ended else _GLANCES):
            try:
                with open(f"/proc/{self.pid}/cmdline", "rb") as file:
                    words = file.read()
            except OSError:
                break
            if words:
                return words.replace(b"\0", b" ").decode("utf-8", "replace").strip()
            time.sleep(0.001)
        return ""


def _see(pid: int) -> Seen | None:
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            stat = file.read(1024)
    except OSError:
        return None
    # The second field is a name in parentheses, which may hold anything.
    fields = stat.rpartition(b")")[2].split()
    return Seen(pid, int(fields[1]), fields[0].decode(), int(fields[19]))


def is_running(pid: int, started: int) -> bool:
    """Whether the process with that id and start time runs.

    Where there is no /proc, any process of that id counts.
    """
    if os.path.exists("/proc/self/stat"):
        seen = _see(pid)
        return seen is not None and seen.started == started and not seen.ended
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def children() -> Iterator[Seen]:
    """The children of this process, those that nobody has reaped included; none without /proc."""
    own = os.getpid()
    try:
        entries = os.listdir("/proc")
    except OSError:
        return
    for entry in entries:
        if entry.isdigit() and (seen := _see(int(entry))) is not None and seen.parent == own:
            yield seen
