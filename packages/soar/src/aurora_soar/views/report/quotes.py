"""The agents' words that a page shows: a part of each, and all together within bounds; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from aurora_soar.views.excerpt import Excerpt, excerpt

__all__ = ["Quotes"]

# Of each text at most this is shown, and of all together this, bytes: a page of 500 subgoals is
# meant to stay under 8 MiB, and the rest of it takes its share. Everything is in the run's folder.
_EACH = 16 * 1024
_TOGETHER = 6 * 1024 * 1024


class Quotes:
    """The answers, and what failed attempts said last.

    Attributes:
        answers: For each subgoal its answer.
        tails: For each subgoal what the last of its attempts that failed said last; None where
            there is nothing.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        answers = [subgoal["output"] for subgoal in record["subgoals"]]
        tails = [_last_words(subgoal) for subgoal in record["subgoals"]]
        # No more is shown than that many characters, whatever they measure.
        sizes = [min(_size(text[:_EACH]), _EACH) for text in (*answers, *tails)]
        limit = _fair_share(sizes, _TOGETHER)
        self.answers = [_quoted(text, limit) for text in answers]
        self.tails = [_quoted(text, limit) for text in tails]


def _quoted(text: str, limit: int) -> Excerpt | None:
    return excerpt(text, limit, _size) if text.strip() else None


def _size(text: str) -> int:
    """Bytes that a text takes in the page."""
    return len(escape(text).encode("utf-8", "replace"))


def _last_words(subgoal: Mapping[str, Any]) -> str:
    if subgoal["outcome"] not in ("failed", "blocked", "unfinished"):
        return ""
    return next(_failed_words(subgoal["history"]), "")


def _failed_words(history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for stretch in reversed(history):
        if stretch.get("tail"):
            yield stretch["tail"]


def _fair_share(sizes: Sequence[int], together: int) -> int:
    """The largest limit for each that keeps the sum within bounds: small ones leave room."""
    left = together
    for done, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - done)
        if size > share:
            return share
        left -= size
    return _EACH
