"""The standard input of a child: what it is to read, written as fast as it takes it."""

from __future__ import annotations

import os
from collections.abc import Callable

from aurora_spawner.process.dialogue import Dialogue
from aurora_spawner.process.readiness import Readiness

__all__ = ["Feed"]

_NOTHING = memoryview(b"")


class Feed:
    """Feeds one child.

    Args:
        stdin: What it is to read first.
        dialogue: Who says more as the child answers; None: that was all.

    Attributes:
        unread: The child closed its end, or has exited, before it had read everything.
    """

    __slots__ = ("_awaits_room", "_descriptor", "_dialogue", "_input", "_on_over", "_readiness")

    def __init__(self, stdin: bytes, dialogue: Dialogue | None) -> None:
        self._input = memoryview(stdin)
        self._dialogue = dialogue
        self._descriptor: int | None = None
        self._awaits_room = False

    @property
    def wants_pipe(self) -> bool:
        """Whether there is anything to say at all."""
        return bool(self._input) or self._dialogue is not None

    @property
    def unread(self) -> bool:
        """See the class."""
        return bool(self._input)

    def begin(self, descriptor: int, readiness: Readiness, on_over: Callable[[], None]) -> None:
        """Take over our end of the pipe; `on_over` is called when a dialogue has ended."""
        self._descriptor = descriptor
        self._readiness = readiness
        self._on_over = on_over
        self._write()
        if self._dialogue is not None:
            self._dialogue.listen(self._on_said)

    def close(self) -> None:
        """Say no more."""
        if self._descriptor is not None:
            self._await_room(False)
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self) -> None:
        """Write what fits into the pipe, which most prompts do; wait for room for the rest."""
        assert self._descriptor is not None
        if self._dialogue is not None and not self._input:
            self._input = memoryview(self._dialogue.take())
        try:
            self._input = self._input[os.write(self._descriptor, self._input) :]
        except BlockingIOError:
            pass
        except OSError:
            # The reader has gone (EPIPE): whether that matters is for its exit to say.
            self.close()
            return
        if self._input:
            self._await_room(True)
            return
        # What is fed need not be kept any longer.
        self._input = _NOTHING
        if self._dialogue is not None and not self._dialogue.over:
            self._await_room(False)
            return
        self.close()
        if self._dialogue is not None:
            self._on_over()

    def _on_said(self) -> None:
        """There is more to feed, or no more to come."""
        if self._descriptor is not None:
            self._write()

    def _on_writable(self, _: int) -> None:
        self._write()

    def _await_room(self, wanted: bool) -> None:
        if self._descriptor is None or wanted is self._awaits_room:
            return
        self._awaits_room = wanted
        if wanted:
            self._readiness.when_writable(self._descriptor, self._on_writable)
        else:
            self._readiness.forget(self._descriptor)
