"""The part of a long text that is worth showing; pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aurora_spawner import safe_line

__all__ = ["Excerpt", "excerpt", "last_lines", "safe_text"]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text by its beginning and its end.

    Attributes:
        head: How it begins; all of it, if nothing was left out.
        dropped: Characters that were left out after the head.
        tail: How it ends; empty if nothing was left out.
    """

    head: str
    dropped: int = 0
    tail: str = ""


def safe_text(text: str) -> str:
    """Many lines of an agent's words, each as it may be shown on a terminal or a page."""
    return "\n".join(map(safe_line, text.split("\n")))


def excerpt(text: str, limit: int, size: Callable[[str], int] = len) -> Excerpt:
    """A text made safe to show, a quarter from its head and three quarters from its tail.

    Args:
        text: An agent's words.
        limit: What the shown parts may measure together.
        size: The measure of a text, such as its bytes once it is escaped; at least its length.
    """
    # What can be shown at all: nobody makes a gigabyte safe in order to show its ends.
    whole = safe_text(text) if len(text) <= limit else ""
    if len(text) <= limit and size(whole) <= limit:
        return Excerpt(whole)
    room = limit // 4
    head = _fitted(text[:room], room, size, from_end=False)
    tail = _fitted(text[-(limit - room) :], limit - room, size, from_end=True)
    dropped = len(text) - len(head) - len(tail)
    return Excerpt(safe_text(head), dropped, safe_text(tail))


def last_lines(text: str, count: int) -> str:
    """The last lines of a text, at most `count`; blank ones at the end are left out."""
    return "\n".join(text.rstrip().rsplit("\n", count)[-count:])


def _fitted(text: str, limit: int, size: Callable[[str], int], *, from_end: bool) -> str:
    """As much of a text as measures at most `limit` once it is safe to show."""
    while text and (measured := size(safe_text(text))) > limit:
        keep = min(len(text) - 1, len(text) * limit // measured)
        text = text[len(text) - keep :] if from_end else text[:keep]
    # Whole lines, where there are any.
    if from_end:
        _, newline, rest = text.partition("\n")
    else:
        rest, newline, _ = text.rpartition("\n")
    return rest if newline and rest else text
