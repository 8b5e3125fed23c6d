"""The parts of long texts that are shown."""

from __future__ import annotations

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.views.excerpt import excerpt, last_lines

WORDS = st.text(st.sampled_from("ab<&\x1b\n\r\u202eé漢😀"), max_size=400)


def escaped_bytes(text: str) -> int:
    return len(escape(text).encode())


def test_a_quarter_from_the_head_and_three_from_the_tail() -> None:
    """What fits is whole; of more, the head has a quarter, the tail the rest, in whole lines."""
    lines = [f"line {number:04}" for number in range(1000)]
    whole = excerpt("\n".join(lines), 100_000)
    assert (whole.head.split("\n"), whole.dropped, whole.tail) == (lines, 0, "")
    shown = excerpt("\n".join(lines), 400)
    head, tail = shown.head.split("\n"), shown.tail.split("\n")
    assert head == lines[:10]
    assert tail == lines[-30:]
    assert shown.dropped == len("\n".join(lines)) - len(shown.head) - len(shown.tail)


@given(WORDS, st.integers(4, 200))
def test_an_excerpt_keeps_to_its_limit(text: str, limit: int) -> None:
    """F9: whatever a text holds, what is shown is visible, and measures no more than allowed."""
    shown = excerpt(text, limit, escaped_bytes)
    assert escaped_bytes(shown.head) + escaped_bytes(shown.tail) <= limit
    assert (shown.head + shown.tail).replace("\n", "").isprintable()
    assert (shown.dropped == 0) or len(text) >= shown.dropped > 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("a\nb\nc\n\n", "b\nc"), ("a", "a"), ("\n\n", "")],
)
def test_the_last_lines(text: str, shown: str) -> None:
    """The last lines of a text, blank ones at its end left out."""
    assert last_lines(text, 2) == shown
