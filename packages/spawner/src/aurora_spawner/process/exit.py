"""Learns that a child has exited without reaping it: no polling, and no thread."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import signal
import struct
import sys
from collections.abc import Iterator

from aurora_spawner.process.readiness import Callback, Readiness

__all__ = ["ExitNotice", "zombies_kept"]


@contextlib.contextmanager
def zombies_kept() -> Iterator[None]:
    """Keep children that exit meanwhile from being reaped by the kernel.

    It does so at once where SIGCHLD is ignored, and a process that is gone cannot be watched: its
    exit would be lost. Does nothing where SIGCHLD is not ignored.
    """
    if signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
        yield
        return
    # `signal.signal` refuses to work outside the main thread.
    import ctypes

    set_handler = ctypes.pythonapi.PyOS_setsig
    set_handler.argtypes = [ctypes.c_int, ctypes.c_void_p]
    set_handler.restype = ctypes.c_void_p
    ignored = set_handler(signal.SIGCHLD, None)
    try:
        yield
    finally:
        set_handler(signal.SIGCHLD, ignored)


if sys.platform == "darwin":

    class ExitNotice:
        """Calls back on the loop when a child has exited, without reaping it (kqueue)."""

        def __init__(self, pid: int, readiness: Readiness, callback: Callback) -> None:
            self._readiness = readiness
            self._queue = select.kqueue()
            event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            readiness.when_readable(self._queue.fileno(), callback)
            try:
                self._queue.control([event], 0)
            except ProcessLookupError:
                # It was faster than we were: a zombie cannot be watched any more.
                asyncio.get_running_loop().call_soon(callback, self._queue.fileno())
            except BaseException:
                self.stop()
                self.close()
                raise

        def stop(self) -> None:
            """Call back no more."""
            self._readiness.forget(self._queue.fileno())

        def lost_status(self) -> int:
            """The wait status of a child that somebody else reaped: not to be had here."""
            return _UNKNOWN_STATUS

        def close(self) -> None:
            """Let go of the child."""
            self._queue.close()

else:

    class ExitNotice:
        """Calls back on the loop when a child has exited, without reaping it (pidfd)."""

        def __init__(self, pid: int, readiness: Readiness, callback: Callback) -> None:
            self._readiness = readiness
            self._descriptor = os.pidfd_open(pid)
            try:
                readiness.when_readable(self._descriptor, callback)
            except BaseException:
                os.close(self._descriptor)
                raise

        def stop(self) -> None:
            """Call back no more."""
            self._readiness.forget(self._descriptor)

        def lost_status(self) -> int:
            """The wait status of a child that somebody else reaped (Linux 6.15 and newer)."""
            info = bytearray(_PIDFD_INFO.size)
            _PIDFD_INFO.pack_into(info, 0, _PIDFD_INFO_EXIT, 0)
            try:
                fcntl.ioctl(self._descriptor, _PIDFD_GET_INFO, info)
            except OSError:
                return _UNKNOWN_STATUS
            mask, status = _PIDFD_INFO.unpack(info)
            return int(status) if mask & _PIDFD_INFO_EXIT else _UNKNOWN_STATUS

        def close(self) -> None:
            """Let go of the child."""
            os.close(self._descriptor)


# linux/pidfd.h: struct pidfd_info begins with a mask and ends, in its first version of 64 bytes,
# with the wait status.
_PIDFD_INFO = struct.Struct("Q52xi")
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_GET_INFO = 3 << 30 | _PIDFD_INFO.size << 16 | 0xFF << 8 | 11

# Exit code 255: nobody knows how it ended, so that it cannot pass for a success.
_UNKNOWN_STATUS = 255 << 8
