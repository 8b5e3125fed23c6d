"""What a process says, kept within bounds: head and tail of its bytes, and its lines; pure."""

from __future__ import annotations

import codecs

__all__ = ["Capture", "Lines"]

# An eighth to a quarter of a log says how it began; how it ended is what people look for.
_HEAD_SHARE = 4

# A line longer than this is handed on in pieces, so that output without newlines stays bounded.
_LINE_LIMIT = 2**20


class Capture:
    """Keeps the first quarter and the last three quarters of `limit` bytes, and counts the rest.

    Holds at most twice `limit` in memory, so that dropping is rare and cheap.
    """

    __slots__ = ("_dropped", "_head", "_head_limit", "_tail", "_tail_limit")

    def __init__(self, limit: int) -> None:
        self._head_limit = limit // _HEAD_SHARE
        self._tail_limit = limit - self._head_limit
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._tail) - self._tail_limit
        if surplus > 0:
            del self._tail[:surplus]
            self._dropped += surplus

    @property
    def dropped(self) -> int:
        """Bytes that were not kept."""
        self._trim()
        return self._dropped

    def __bytes__(self) -> bytes:
        self._trim()
        return bytes(self._head + self._tail)

    def text(self) -> str:
        """What was kept, decoded; undecodable bytes become U+FFFD and a gap says its size."""
        if not self.dropped:
            return bytes(self).decode("utf-8", "replace")
        head = self._head.decode("utf-8", "replace")
        tail = self._tail.decode("utf-8", "replace")
        return f"{head}\n[... {self._dropped} bytes left out ...]\n{tail}"


class Lines:
    """Turns chunks of UTF-8 into lines, whatever the borders of the chunks.

    A character split across chunks is decoded whole; a line longer than 1 MiB comes in pieces.
    """

    __slots__ = ("_decoder", "_length", "_partial")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial: list[str] = []
        self._length = 0

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """Take the next bytes; return the lines that they complete, without their newlines.

        With `final`, what is left without a newline is a line too.
        """
        *complete, rest = self._decoder.decode(data, final).split("\n")
        if complete:
            complete[0] = self._take() + complete[0]
        if rest:
            self._partial.append(rest)
            self._length += len(rest)
        if self._partial and (final or self._length > _LINE_LIMIT):
            complete.append(self._take())
        return [line.removesuffix("\r") for line in complete]

    def _take(self) -> str:
        """What has come of the line that is not complete yet."""
        text = "".join(self._partial)
        self._partial.clear()
        self._length = 0
        return text
