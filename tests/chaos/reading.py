"""The other end of a program's standard output: it may be slow, and it may be gone."""

from __future__ import annotations

import os
import threading
import time

from .drawing import Reader

__all__ = ["Pipe"]

# A slow reader takes that many bytes at a time, pauses that long, and is slow for so many seconds.
_SIP, _PAUSE, _SLOW_FOR = 2048, 0.05, 2.0

# One that goes has read that much.
_ENOUGH = 3000


class Pipe:
    """A pipe with a reader.

    Attributes:
        write_end: To be given to the program, and closed here by `start`.
        out: All that was read.
    """

    def __init__(self, reader: Reader) -> None:
        self._read_end, self.write_end = os.pipe()
        self.out = b""
        self._reader = reader
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Begin to read, once the program has its end."""
        os.close(self.write_end)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until nobody can write any more; whether that was so in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _read(self) -> None:
        began = time.monotonic()
        try:
            while not (self._reader == "gone" and len(self.out) >= _ENOUGH):
                slow = self._reader == "slow" and time.monotonic() - began < _SLOW_FOR
                data = os.read(self._read_end, _SIP if slow or self._reader == "gone" else 1 << 20)
                if not data:
                    return
                self.out += data
                if slow:
                    time.sleep(_PAUSE)
        finally:
            os.close(self._read_end)
