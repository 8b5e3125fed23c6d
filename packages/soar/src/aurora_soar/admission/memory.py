"""Whether there is memory for one more agent: nobody is to be killed for want of it.

An agent takes its memory only after it has started, so the memory that is free now says too
little: ten that start together find it free ten times. So what each of the running agents is known
or taken to need is held against the memory that was free before the first of them started, and
what is free now against the next one alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["HEADROOM", "PEAKS", "Memory", "free_memory"]

_MIB = 2**20

HEADROOM = 256 * _MIB
"""Bytes left to everybody else."""

PEAKS = {
    "claude": 285 * _MIB,
    "codex": 190 * _MIB,
    "gemini": 385 * _MIB,
    "opencode": 300 * _MIB,
    "llm": 65 * _MIB,
}
"""Bytes that an agent CLI takes at its peak, measured with one short answer. A program of the
user's is taken to need nothing until one has ended and its peak is known."""

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


class Memory:
    """Keeps account of what agents need.

    Args:
        free: Bytes that are free now; None if nobody knows, and then everybody may start.
    """

    def __init__(self, free: Callable[[], int | None] = free_memory) -> None:
        self._free = free
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
        need = self._peaks.get(kind, 0)
        known = self._before - self._claimed
        return min(free, known) >= need + HEADROOM

    def claim(self, kind: str) -> int:
        """One of this kind starts; returns its claim, bytes."""
        need = self._peaks.get(kind, 0)
        self._claimed += need
        self._running += 1
        return need

    def release(self, kind: str, claim: int, peak: int | None) -> None:
        """One has ended.

        Args:
            kind: What it was.
            claim: What `claim` returned.
            peak: Bytes that it took at its peak; None if nobody knows.
        """
        self._claimed -= claim
        self._running -= 1
        if peak is not None:
            self._peaks[kind] = max(peak, self._peaks.get(kind, 0))
