"""Where things stand in a plan file: the line of every key, for messages; pure.

No parser that we could lean on tells: `tomllib` and `json` forget positions, and tomlkit keeps the
text without them. The text has been parsed before, so this only walks over what is known to be
valid: it recognizes strings, brackets and keys, and reads no values. JSON is walked by the same
steps, since its objects and arrays are inline tables and arrays with other punctuation.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["KeyPath", "Lines", "json_lines", "toml_lines"]

KeyPath: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys of tables and positions in arrays, `("subgoals", 2, "id")`."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
# A multi-line string may end in up to five quotes: two of its own before the closing three.
_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)
_BARE_KEY = re.compile(r"[\w-]+")
# Up to what may follow it: a date with a space in it is one value.
_SCALAR = re.compile(r"[^,\]}#\n]+")


class Lines:
    """The lines of a file's keys, counted from 1."""

    def __init__(self, known: Mapping[KeyPath, int]) -> None:
        self._known = known

    def __getitem__(self, path: KeyPath) -> int | None:
        """The line of a key or array item, or of what it would stand in; None for the file."""
        for length in range(len(path), 0, -1):
            if (line := self._known.get(path[:length])) is not None:
                return line
        return None


def toml_lines(text: str) -> Lines:
    """The lines of a valid TOML document."""
    walk = _Walk(text)
    walk.document()
    return Lines(walk.known)


def json_lines(text: str) -> Lines:
    """The lines of a valid JSON document."""
    walk = _Walk(text)
    walk.value(())
    return Lines(walk.known)


class _Walk:
    """One pass over a text, noting where each key begins."""

    def __init__(self, text: str) -> None:
        self.known: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1
        # How many items each array of tables has so far.
        self._items: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip_space():
            table = self._header() if self._next("[") else self._pair(table)

    def value(self, path: KeyPath) -> None:
        self._skip_space()
        if self._take("["):
            position = 0
            while not self._take("]"):
                self._note((*path, position))
                self.value((*path, position))
                self._take(",")
                position += 1
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._take(",")
        else:
            self._match(_STRING) or self._match(_SCALAR)

    def _header(self) -> KeyPath:
        """`[table]` or `[[array of tables]]`: the path of what stands below it."""
        line = self._here()
        self._take("[")
        is_array = self._take("[")
        path: KeyPath = ()
        keys = self._keys()
        for position, key in enumerate(keys):
            path = (*path, key)
            self.known.setdefault(path, line)
            is_last = position == len(keys) - 1
            if is_array and is_last:
                self._items[path] = self._items.get(path, 0) + 1
            if path in self._items:
                path = (*path, self._items[path] - 1)
                self.known.setdefault(path, line)
        self._take("]")
        if is_array:
            self._take("]")
        elif keys:
            # Its tables below may have named it first.
            self.known[path] = line
        return path

    def _pair(self, table: KeyPath) -> KeyPath:
        """`key = value`; returns the table, which goes on."""
        self._skip_space()
        line = self._here()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.known.setdefault(path, line)
        if not self._take("="):
            self._take(":")
        self.value(path)
        return table

    def _keys(self) -> list[str]:
        """A key and its parts: `a.b."c d"`."""
        keys = []
        while True:
            self._skip_space()
            quoted = self._match(_STRING)
            keys.append(_unquoted(quoted) if quoted else self._match(_BARE_KEY))
            self._skip_space()
            if not self._take("."):
                return keys

    # The text

    def _skip_space(self) -> bool:
        """Go on to what is neither space nor comment; false at the end."""
        self._match(_SPACE)
        return self._at < len(self._text)

    def _next(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _take(self, mark: str) -> bool:
        self._skip_space()
        if self._next(mark):
            self._at += len(mark)
            return True
        return False

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _note(self, path: KeyPath) -> None:
        if self._skip_space():
            self.known.setdefault(path, self._here())

    def _here(self) -> int:
        """The line that we are in."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _unquoted(key: str) -> str:
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError:
        # JSON knows escapes that TOML does not.
        return str(json.loads(key))
