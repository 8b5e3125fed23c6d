"""Standard output: lines go out in a thread of their own, so that a slow reader stops nobody."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable

from aurora_spawner.cli.lane import Lane

__all__ = ["Printer"]


class Printer:
    """Writes to a descriptor, in order.

    Args:
        descriptor: Where to.
        before: Called before each write.
        after: Called after each write.
        lost: Called with the error if it cannot be written, or if the reader of a pipe has gone;
            once. What is put later goes nowhere.

    Attributes:
        waiting: Bytes that are not written yet.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        before: Callable[[], None],
        after: Callable[[], None],
        lost: Callable[[OSError], None],
    ) -> None:
        self.waiting = 0
        self._descriptor = descriptor
        self._before = before
        self._after = after
        self._lost = lost
        self._is_lost = False
        self._lines: list[bytes] = []
        self._lane = Lane("output")
        self._writing: asyncio.Task[None] | None = None
        self._watches = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        if self._watches:
            # A pipe that is only written to wakes us when its last reader closes it.
            asyncio.get_running_loop().add_reader(descriptor, self._on_reader_gone)

    def put(self, line: bytes) -> None:
        """Have a line written."""
        if self._is_lost:
            return
        self._lines.append(line)
        self.waiting += len(line)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def drain(self) -> None:
        """Wait until everything is written, or lost."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def close(self) -> None:
        """Stop watching the reader."""
        if self._watches:
            self._watches = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    async def _write(self) -> None:
        while self._lines:
            data = b"".join(self._lines)
            self._lines.clear()
            self._before()
            try:
                await self._lane.do(_write_all, self._descriptor, data)
            except OSError as error:
                self._lose(error)
            self.waiting -= len(data)
            self._after()
        self._writing = None

    def _on_reader_gone(self) -> None:
        self.close()
        self._lose(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _lose(self, error: OSError) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self.waiting -= sum(map(len, self._lines))
        self._lines.clear()
        self._lost(error)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
