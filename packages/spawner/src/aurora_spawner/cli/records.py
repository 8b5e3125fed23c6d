"""Input as it comes, cut into records: arguments, lines or pieces between NUL bytes; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["LONGEST_RECORD", "Record", "RecordTooLongError", "Splitter"]

LONGEST_RECORD = 64 * 2**20
"""Bytes of one record: whatever is longer was hardly meant as one prompt."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Record:
    """One input.

    Attributes:
        place: Where it stands, for people: `todo.txt:3`.
        data: What it says, without its line end.
    """

    place: str
    data: bytes


class RecordTooLongError(ValueError):
    """A record without an end: a line end is missing, or it is no text at all."""


class Splitter:
    """Cuts chunks of input into records, whatever their borders. Blank records are left out.

    Args:
        name: What the input is called; empty for standard input.
        null: A NUL byte ends a record, instead of a newline.
    """

    def __init__(self, name: str, *, null: bool = False) -> None:
        self._separator = b"\0" if null else b"\n"
        self._place = f"{name}:" if name else ("record " if null else "line ")
        self._count = 0
        self._rest: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that `data` completes; empty `data` is the end of the input.

        Raises:
            RecordTooLongError: A record is longer than `LONGEST_RECORD`.
        """
        *ended, rest = data.split(self._separator)
        for piece in ended:
            yield from self._record(piece)
        self._rest.append(rest)
        self._held += len(rest)
        if not data and self._held:
            yield from self._record(b"")
        if self._held > LONGEST_RECORD:
            raise RecordTooLongError(
                f"{self._place}{self._count + 1}: more than {LONGEST_RECORD:,} bytes without an "
                "end; inputs are lines, or with -0 end in NUL bytes"
            )

    def _record(self, piece: bytes) -> Iterator[Record]:
        whole = b"".join((*self._rest, piece))
        self._rest, self._held = [], 0
        self._count += 1
        if self._count == 1:
            whole = whole.removeprefix(_BYTE_ORDER_MARK)
        if self._separator == b"\n":
            whole = whole.removesuffix(b"\r")
        if whole.strip():
            yield Record(f"{self._place}{self._count}", whole)
