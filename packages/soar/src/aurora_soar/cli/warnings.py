"""Warnings of the libraries, shown with the run instead of across it."""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["Warnings"]


class Warnings(logging.Handler):
    """Passes what is logged, warnings and worse, on to `say` while it is entered."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say the message and its exception; a traceback would be no use on a screen."""
        raised = record.exc_info[1] if record.exc_info else None
        self._say(record.getMessage() + (f": {raised!r}" if raised else ""))

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self)

    def __exit__(self, *exception: object) -> None:
        logging.getLogger().removeHandler(self)
