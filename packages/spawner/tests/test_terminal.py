"""Untrusted text on its way to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import safe_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, näive €, 漢字", "plain text, näive €, 漢字"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b]8;;http://x\x1b\\link", r"\x1b]8;;http://x\x1b\link"),
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("a\u2066b\u2069", r"a\u2066b\u2069"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("one\ntwo", r"one\ntwo"),
        ("a\0b\x7f", r"a\x00b\x7f"),
        ("lone \ud800", r"lone \ud800"),
        ("tab\tstop", "tab    stop"),
        ("hard\u00a0space", "hard\u00a0space"),
        ("", ""),
    ],
)
def test_f9_control_becomes_visible(text: str, shown: str) -> None:
    """F9: colours, titles, links, clipboard writes, C1 and bidirectional controls are shown as
    visible escapes, and other text as it is."""
    assert safe_line(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" 10%\r 50%\r100%", "100%"),
        ("done\r\n", "done"),
        (" 10%\r 50%\r", " 50%"),
        ("\r\r", ""),
    ],
)
def test_f10_progress_bars(text: str, shown: str) -> None:
    """F10: of a line that rewrites itself the last state is shown."""
    assert safe_line(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_dangerous_is_left(text: str) -> None:
    """F9: whatever comes in, one line of encodable text without any control goes out, and
    showing it twice changes nothing."""
    shown = safe_line(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown
    assert safe_line(shown) == shown


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_is_untouched(text: str) -> None:
    """Letters, digits, signs and spaces of every script stay as they are."""
    assert safe_line(text) == text
