"""Where inputs come from: arguments, a file, standard input; read as they are needed."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from aurora_spawner.cli.lane import Lane
from aurora_spawner.cli.records import Record, Splitter

__all__ = ["ArgumentSource", "FileSource", "Source", "open_source"]

_CHUNK = 64 * 1024


class Source(Protocol):
    """Inputs, from the first to the last."""

    @property
    def is_stream(self) -> bool:
        """It can be read only once, perhaps for ever."""

    def scan(self) -> Iterator[Record]:
        """All of it, ahead of `records`; only where it is no stream."""

    def records(self) -> AsyncIterator[Record]:
        """One after the other, waited for; until `stop`."""

    def stop(self) -> None:
        """End `records` soon: nobody wants more."""


class ArgumentSource:
    """What stands behind `:::`."""

    is_stream = False

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._stopped = False

    def scan(self) -> Iterator[Record]:
        """Each argument, also an empty one: it was written on purpose."""
        for number, word in enumerate(self._words, 1):
            yield Record(f"argument {number}", os.fsencode(word))

    async def records(self) -> AsyncIterator[Record]:
        """See `Source.records`."""
        for record in self.scan():
            if self._stopped:
                return
            yield record

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopped = True


class FileSource:
    """An open file, pipe or terminal.

    Args:
        descriptor: Where to read.
        name: What it is called; empty for standard input.
        null: Records end in NUL bytes instead of newlines.
    """

    def __init__(self, descriptor: int, name: str, *, null: bool) -> None:
        self._descriptor = descriptor
        self._name = name
        self._null = null
        self._lane = Lane("input")
        self._stopped = asyncio.Event()
        self._reading: asyncio.Future[bytes] | None = None
        self.is_stream = not stat.S_ISREG(os.fstat(descriptor).st_mode)

    def scan(self) -> Iterator[Record]:
        """From here to its end, and back."""
        start = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        splitter = Splitter(self._name, null=self._null)
        try:
            while data := os.read(self._descriptor, _CHUNK):
                yield from splitter.feed(data)
            yield from splitter.feed(b"")
        finally:
            os.lseek(self._descriptor, start, os.SEEK_SET)

    async def records(self) -> AsyncIterator[Record]:
        """See `Source.records`."""
        splitter = Splitter(self._name, null=self._null)
        data = b"more"
        while data and not self._stopped.is_set():
            self._reading = asyncio.ensure_future(self._lane.do(os.read, self._descriptor, _CHUNK))
            try:
                data = await self._reading
            except asyncio.CancelledError:
                if self._stopped.is_set():
                    return
                raise
            for record in splitter.feed(data):
                yield record

    def stop(self) -> None:
        """See `Source.stop`."""
        self._stopped.set()
        if self._reading is not None:
            self._reading.cancel()


def open_source(words: Sequence[str] | None, path: str | None, *, null: bool) -> Source:
    """The source that a command line names.

    Args:
        words: What stands behind `:::`; None without it.
        path: A file; `-`, or None without words, is standard input.
        null: Records end in NUL bytes instead of newlines.

    Raises:
        OSError: The file cannot be read.
    """
    if words is not None:
        return ArgumentSource(words)
    if path is None or path == "-":
        return FileSource(0, "", null=null)
    descriptor = os.open(path, os.O_RDONLY)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise IsADirectoryError(f"{path} is a folder")
    return FileSource(descriptor, path, null=null)
