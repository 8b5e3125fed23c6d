"""Untrusted text made safe to show: control sequences become visible, nothing is interpreted."""

from __future__ import annotations

import unicodedata

__all__ = ["safe_line"]

_TAB = "    "


def safe_line(text: str) -> str:
    """One line of an agent's output as it may be shown on a terminal or a page.

    A carriage return rewrites the line, as a progress bar means it: what stands after the last one
    is the line. Control characters (C0, C1 and so every escape sequence) become visible escapes,
    as do invisible format characters, among them those that reorder text.
    """
    shown = text.rstrip("\r\n").rpartition("\r")[2].replace("\t", _TAB)
    return "".join(map(_visible, shown)) if not shown.isprintable() else shown


def _visible(character: str) -> str:
    # Cc control, Cf format (bidirectional overrides), Cs lone surrogate, Zl and Zp separators.
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character
