"""What a crash left in SQLite's write-ahead log, seen before SQLite sees it; pure.

SQLite reads the log up to the first frame that does not check and drops the rest without a word.
That is right for a write that was cut off. But every transaction is synced before the next one
begins, so a crash spoils the last one at most: where several are lost, the file was damaged, and
acknowledged results would vanish silently.

The format (www.sqlite.org/fileformat2.html, section 4): a header of 32 bytes, then frames of 24
bytes and a page each, all numbers big-endian. A frame belongs to the log's present round when it
bears the header's two salts; one with a page count ends a transaction; the checksum of each goes
on from the one before.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO

__all__ = ["Leftover", "survey"]

_HEADER = Struct(">8I")
_FRAME = Struct(">6I")

# The last bit says that checksums read their words as big-endian.
_MAGIC = 0x377F0682
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a log holds.

    Attributes:
        frames: Frames that SQLite takes over.
        lost: Ended transactions that it does not.
        cut: A write was cut off: there is more than SQLite takes over.
        bad_header: Its first bytes are spoilt, so that SQLite takes over nothing.
    """

    frames: int = 0
    lost: int = 0
    cut: bool = False
    bad_header: bool = False


def survey(log: BinaryIO) -> Leftover:
    """Read a log from its beginning to its end; memory for one page."""
    header = log.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return Leftover(cut=bool(header))
    magic, _, page_size, _, *salts, sum_1, sum_2 = _HEADER.unpack(header)
    big = bool(magic & 1)
    sums = _checksum(header[:24], (0, 0), big)
    if magic & ~1 != _MAGIC or sums != (sum_1, sum_2):
        # The header is synced before the first frame is written.
        more = bool(log.read(1))
        return Leftover(cut=True, bad_header=more)
    sound, frames, ended, lost, cut = True, 0, 0, 0, False
    while frame := log.read(_FRAME.size + page_size):
        if len(frame) < _FRAME.size:
            return Leftover(ended, lost, cut=True)
        _, page_count, *frame_salts, frame_1, frame_2 = _FRAME.unpack_from(frame)
        ours = frame_salts == salts
        if sound:
            sums = _checksum(frame[:8] + frame[_FRAME.size :], sums, big)
            whole = len(frame) == _FRAME.size + page_size
            sound = whole and ours and sums == (frame_1, frame_2)
        if sound:
            frames += 1
            ended = frames if page_count else ended
        elif ours:
            cut = True
            lost += bool(page_count)
    return Leftover(ended, lost, cut=cut or frames > ended)


def _checksum(data: bytes, sums: tuple[int, int], big: bool) -> tuple[int, int]:
    """SQLite's running checksum over pairs of 32-bit words."""
    words = array("I", data[: len(data) // 8 * 8])
    if big != (sys.byteorder == "big"):
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for one, other in zip(pairs, pairs, strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second
