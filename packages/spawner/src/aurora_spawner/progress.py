"""How the commands show a run: a choice that every one of them offers."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Progress"]


class Progress(StrEnum):
    """How a run shows itself while it goes on."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    NONE = "none"
