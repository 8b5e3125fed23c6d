"""Whether there is memory for one more agent: nobody is to be killed for want of it.

An agent takes its memory only after it has started, so the memory that is free now says too
little: ten that start together find it free ten times. So what each of the running agents is known
or taken to need is held against the memory that was free before the first of them started, and
what is free now against the next one alone.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["HEADROOM", "PEAKS", "UNKNOWN", "Memory", "free_memory", "own_peak"]

_MIB = 2**20

HEADROOM = 256 * _MIB
"""Bytes left to everybody else."""

PEAKS = {
    "claude": 285 * _MIB,
    "codex": 190 * _MIB,
    "gemini": 385 * _MIB,
    "opencode": 300 * _MIB,
    "llm": 65 * _MIB,
    "extract": 30 * _MIB,
}
"""Bytes that an agent CLI takes at its peak, measured with one short answer."""

UNKNOWN = 300 * _MIB
"""Bytes that a program, or a CLI that is not listed, is taken to need until one has succeeded: what
the larger CLIs take. On a machine with 4 GB free twelve start, before anything is known of them."""

_CGROUP = Path("/sys/fs/cgroup")


def free_memory(proc: Path = Path("/proc"), cgroup: Path = _CGROUP) -> int | None:
    """Bytes that new processes can have, on this machine and in this container; None: unknown."""
    available = _machine(proc / "meminfo")
    left = _container(cgroup)
    known = [value for value in (available, left) if value is not None]
    return min(known, default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _container(cgroup: Path) -> int | None:
    """What a limit on our own cgroup leaves; the second version only, as every new system has."""
    try:
        most = int((cgroup / "memory.max").read_text())
        return max(most - int((cgroup / "memory.current").read_text()), 0)
    except (OSError, ValueError):
        # No limit ("max"), no such cgroup, no Linux.
        return None


def own_peak() -> int:
    """Bytes that this program held at its peak."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Memory:
    """Keeps account of what agents need.

    Args:
        free: Bytes that are free now; None if nobody knows, and then everybody may start.
        own: Bytes that this program itself held at its peak.
    """

    def __init__(
        self,
        free: Callable[[], int | None] = free_memory,
        own: Callable[[], int] = own_peak,
    ) -> None:
        self._free = free
        self._own = own
        self._before: int | None = None
        self._claimed = 0
        self._running = 0
        self._peaks: dict[str, int] = dict(PEAKS)

    def has_room(self, kind: str) -> bool:
        """Whether one more of this kind may start: a tool's name, or a program's agent id.

        One alone may always: waiting would not make more room.
        """
        free = self._free()
        if not self._running:
            self._before = free
            return True
        if free is None or self._before is None:
            return True
        need = self._need(kind)
        known = self._before - self._claimed
        return min(free, known) >= need + HEADROOM

    def claim(self, kind: str) -> int:
        """One of this kind starts; returns its claim, bytes."""
        need = self._need(kind)
        self._claimed += need
        self._running += 1
        return need

    def release(self, kind: str, claim: int, peak: int | None, *, succeeded: bool = True) -> None:
        """One has ended.

        Args:
            kind: What it was.
            claim: What `claim` returned.
            peak: Bytes that it took at its peak; None if nobody knows.
            succeeded: It did its work; a failure may have ended it before it took what it needs,
                and so proves only that more is needed.
        """
        self._claimed -= claim
        self._running -= 1
        if peak is None:
            return
        if peak <= self._own():
            # It may be our own that was told, see `ProcessResult`.
            peak = min(peak, UNKNOWN)
        least = self._peaks.get(kind, 0) if succeeded else self._need(kind)
        self._peaks[kind] = max(peak, least)

    def _need(self, kind: str) -> int:
        """Bytes that one of a kind is taken to need; nothing where nobody says what it will be."""
        return self._peaks.get(kind, UNKNOWN if kind else 0)
