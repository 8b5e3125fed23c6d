"""What outlives us: ends what we started if we are killed.

Inside somebody else's program it is a helper on a lifeline: a small process that reads a pipe which
only our death closes, and then ends our process groups and everything that bears our cookie. It is
started with the first process, restarted if it is killed, and never reaps a stranger. The commands
have an `ancestor` instead, which also finds those that scrubbed their environment.

Which groups run is written into a table in memory, which those who outlive us read then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import subprocess
import sys
import weakref

from aurora_spawner import descendants
from aurora_spawner.descendants import TABLE_SLOTS

__all__ = ["Supervisor", "become_supervised", "get_supervisor", "own_descriptors"]

_log = logging.getLogger("aurora_spawner")

_SLOT = struct.Struct("i")


# The helper must be nobody's child here: a program that waits for its children would meet it. The
# shell starts it and is gone within a millisecond.
_IN_BACKGROUND = ("sh", "-c", 'exec 3<&0; "$@" <&3 3<&- &', "sh")


class Supervisor:
    """The table of what runs, and the helper that reads it after our death."""

    def __init__(self, *, has_ancestor: bool = False) -> None:
        self.word = os.urandom(8).hex()
        self.has_ancestor = has_ancestor
        self._table = _open_table()
        self._free = list(range(TABLE_SLOTS - 1, -1, -1))
        self._lifeline: int | None = None
        self._alive: int | None = None
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None

    @property
    def table(self) -> int:
        """Descriptor of the table."""
        return self._table

    @property
    def descriptors(self) -> frozenset[int]:
        """What it holds open as long as the program lives."""
        held = (self._table, self._lifeline, self._alive)
        return frozenset(descriptor for descriptor in held if descriptor is not None)

    def enter(self, group: int) -> int:
        """A process group runs: from now on our death ends it. Returns its slot."""
        slot = self._free.pop()
        self._write(slot, group)
        return slot

    def leave(self, slot: int) -> None:
        """The group of that slot is gone."""
        self._write(slot, 0)
        self._free.append(slot)

    def keep(self, pid: int) -> None:
        """That process and what descends from it outlive us."""
        self.enter(-pid)

    def _write(self, slot: int, value: int) -> None:
        os.pwrite(self._table, _SLOT.pack(value), slot * _SLOT.size)

    # The helper

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a helper, and have it restarted if it is killed while this loop runs."""
        watching = self._loop() if self._loop is not None else None
        if self.has_ancestor or (watching is not None and not watching.is_closed()):
            return
        if self._alive is None:
            self._start()
        if self._alive is not None:
            self._loop = weakref.ref(loop)
            loop.add_reader(self._alive, self._on_death)

    def _start(self) -> None:
        lifeline, self._lifeline = os.pipe()
        self._alive, alive = os.pipe()
        program = [sys.executable, "-I", "-S", descendants.__file__]
        try:
            subprocess.run(
                [*_IN_BACKGROUND, *program, "lifeline", str(self._table), self.word],
                stdin=lifeline,
                stdout=alive,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._table],
                start_new_session=True,
                cwd="/",
                check=False,
            )
        except OSError as error:
            _log.warning("no helper: if we are killed, what we started goes on: %s", error)
            self._close()
        finally:
            os.close(lifeline)
            os.close(alive)

    def _on_death(self) -> None:
        """The helper held the other end of the pipe until now."""
        loop = self._loop() if self._loop is not None else None
        if loop is not None and self._alive is not None:
            loop.remove_reader(self._alive)
        self._loop = None
        self._close()
        if loop is not None:
            _log.warning("the helper was killed; starting another one")
            self.watch(loop)

    def _close(self) -> None:
        for descriptor in (self._lifeline, self._alive):
            if descriptor is not None:
                os.close(descriptor)
        self._lifeline = self._alive = None

    def forget_in_child(self) -> None:
        """After a fork: our parent's lifeline is not ours to hold."""
        self._close()
        os.close(self._table)


class _Own:
    """The supervisor of this process."""

    supervisor: Supervisor | None = None


def get_supervisor() -> Supervisor:
    """The supervisor of this process, made when it is first asked for."""
    if _Own.supervisor is None:
        _Own.supervisor = Supervisor()
    return _Own.supervisor


def become_supervised(supervisor: Supervisor) -> None:
    """From now on what this process starts is entered there."""
    _Own.supervisor = supervisor


def own_descriptors() -> frozenset[int]:
    """The descriptors that the supervisor holds as long as the program lives."""
    return frozenset() if _Own.supervisor is None else _Own.supervisor.descriptors


def _forget_in_child() -> None:
    if _Own.supervisor is not None:
        _Own.supervisor.forget_in_child()
        _Own.supervisor = None


os.register_at_fork(after_in_child=_forget_in_child)


def _open_table() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("aurora-spawner", os.MFD_CLOEXEC)
    else:
        # Outside Linux only.
        import tempfile

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, TABLE_SLOTS * _SLOT.size)
    return descriptor
