"""Standard input that is fed as the process goes, in answer to what it says."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Dialogue"]


def _nobody() -> None:
    """Nobody listens yet."""


class Dialogue:
    """What a process is told while it runs.

    What is said before it runs is kept until then. A process that does not end by itself once its
    standard input was closed is ended after `Limits.grace`; that is no early end.

    Attributes:
        over: Nothing will be said any more.
    """

    def __init__(self) -> None:
        self.over = False
        self._said = bytearray()
        self._wake: Callable[[], None] = _nobody

    def say(self, data: bytes) -> None:
        """Say something; without effect once the process has ended."""
        self._said += data
        self._wake()

    def hang_up(self) -> None:
        """Close its standard input, behind what was said."""
        self.over = True
        self._wake()

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called whenever there is news; for the process layer."""
        self._wake = wake

    def take(self) -> bytes:
        """What was said since the last time; for the process layer."""
        said = bytes(self._said)
        self._said.clear()
        return said
