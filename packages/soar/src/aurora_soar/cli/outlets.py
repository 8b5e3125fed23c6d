"""Where a run is told to: people, programs and files; and what becomes of it when they are gone."""

from __future__ import annotations

import errno
from collections.abc import Callable

__all__ = ["Outlets"]

Write = Callable[[], None]


class Outlets:
    """Passes on what is told, as long as somebody is there to take it.

    Args:
        on_no_reader: Called when a pipe has lost its reader: nobody waits for the results.
        on_no_room: Called with a word for people when a file cannot be written for the first time.

    Attributes:
        lost: The first output that could not be written.
    """

    def __init__(
        self, on_no_reader: Callable[[], object], on_no_room: Callable[[str], None]
    ) -> None:
        self._on_no_reader = on_no_reader
        self._on_no_room = on_no_room
        self._gone: set[str] = set()
        self.lost: OSError | None = None

    def show(self, write: Write) -> None:
        """Show people something, unless nobody looks any more."""
        self._pass_on("people", write)

    def tell(self, write: Write) -> None:
        """Tell programs something, unless nobody listens any more."""
        self._pass_on("programs", write)

    def keep(self, write: Write) -> None:
        """Write a file of the run; if that fails, agents' work is still worth finishing."""
        is_first = self.lost is None
        self.finish(write)
        if is_first and self.lost is not None:
            self._on_no_room(f"cannot write: {self.lost}; the run goes on")

    def finish(self, write: Write) -> None:
        """Write what comes at the end; that it could not be is told by `lost` alone."""
        try:
            write()
        except OSError as error:
            self.lost = self.lost or error

    def _pass_on(self, readers: str, write: Write) -> None:
        if readers in self._gone:
            return
        try:
            write()
        except OSError as error:
            self.lost = self.lost or error
            self._gone.add(readers)
            if error.errno == errno.EPIPE:
                self._on_no_reader()
