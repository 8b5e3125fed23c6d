"""Where the keys of a plan file stand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.plan.lines import json_lines, toml_lines

# Words that look like TOML, in keys and texts.
WORDS = st.sampled_from(
    [
        "a",
        "b-c",
        "two words",
        "[x]",
        "[[subgoals]]\nid = 3",
        "#",
        '"',
        "'",
        "x = {",
        "\\",
        "é",
        "\t",
    ]
)
SCALARS = st.one_of(
    WORDS,
    st.integers(-9, 9),
    st.booleans(),
    st.sampled_from([1.5]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(WORDS, VALUES, max_size=4)


class TomlWriter:
    """Writes data as TOML in one of the many ways, and notes the line of each key."""

    def __init__(self, draw: st.DataObject) -> None:
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._draw = draw

    def either(self) -> bool:
        return self._draw.draw(st.booleans())

    def note(self, path: tuple[str | int, ...]) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def quote(self, text: str) -> str:
        if "'" not in text and "\n" not in text and "\t" not in text and self.either():
            return f"'{text}'"
        return json.dumps(text, ensure_ascii=False)

    def key(self, key: str) -> str:
        return key if key == "a" and self.either() else self.quote(key)

    def value(self, path: tuple[str | int, ...], value: Any) -> None:
        if isinstance(value, list):
            self.text += "["
            for position, item in enumerate(value):
                self.text += self._draw.draw(st.sampled_from(["", "\n", " # ] no\n"]))
                self.note((*path, position))
                self.value((*path, position), item)
                self.text += ", "
            self.text += "]"
        elif isinstance(value, dict):
            self.text += "{ "
            for number, (key, item) in enumerate(value.items()):
                self.text += ", " if number else ""
                self.note((*path, key))
                self.text += f"{self.key(key)} = "
                self.value((*path, key), item)
            self.text += " }"
        elif isinstance(value, str) and self.either():
            plain = value.replace("\\", "\\\\").replace('"', '\\"')
            self.text += f'"""\n{plain}"""'
        else:
            self.text += self.quote(value) if isinstance(value, str) else json.dumps(value)

    def document(self, data: dict[str, Any], path: tuple[str | int, ...] = ()) -> None:
        tables = {}
        for key, value in data.items():
            is_tables = (
                isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            )
            if (isinstance(value, dict) or is_tables) and self.either():
                tables[key] = value
                continue
            self.text += "# [not a table]\n" if self.either() else "\n"
            self.note((*path, key))
            self.text += f"{self.key(key)} = "
            self.value((*path, key), value)
            self.text += "\n"
        for key, value in tables.items():
            header = ".".join(self.quote(part) for part in (*path, key) if isinstance(part, str))
            self.note((*path, key))
            if isinstance(value, dict):
                self.text += f"[{header}]\n"
                self.document(value, (*path, key))
                continue
            for position, item in enumerate(value):
                self.note((*path, key, position))
                self.text += f"[[ {header} ]] # here\n"
                self.document(item, (*path, key, position))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and array item of some data."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, (dict, list)):
            yield from paths(item, (*path, key))


@given(TABLES, st.data())
def test_every_key_of_any_toml_is_found_where_it_stands(
    data: dict[str, Any], draw: st.DataObject
) -> None:
    """Whichever way a document is written, each key and array item has the line it stands in."""
    writer = TomlWriter(draw)
    writer.document(data)
    assert tomllib.loads(writer.text) == data
    lines = toml_lines(writer.text)
    assert {path: lines[path] for path in paths(data)} == writer.lines


@given(TABLES, st.sampled_from([None, 0, 2]))
def test_every_key_of_any_json_is_found_where_it_stands(
    data: dict[str, Any], indent: int | None
) -> None:
    """In JSON of any layout each key is found, and in the indented one each has its own line."""
    text = json.dumps(data, indent=indent)
    lines = json_lines(text)
    rows = text.splitlines()
    for path in paths(data):
        line = lines[path]
        assert line is not None
        if isinstance(path[-1], str):
            assert json.dumps(path[-1]) in rows[line - 1]
    if indent is not None:
        keys = [lines[path] for path in paths(data)]
        assert keys == sorted(set(keys), key=keys.index)


def test_dotted_keys_and_dates_with_spaces() -> None:
    """Dotted keys, dates with a space in them, quotes at the end of a text: all are walked over."""
    lines = toml_lines(
        'a.b."c d" = 1979-05-27 07:32:00 # [x]\n'
        "e = [1979-05-27 07:32:00, 2]\n"
        'f = """x""\\""""""\n'
        "g = '''it's'''''\n"
        "[h.i]\n"
        "[h]\n"
        "j = 1\n"
    )
    assert [lines[path] for path in [("a", "b", "c d"), ("e", 1), ("f",), ("g",)]] == [1, 2, 3, 4]
    assert [lines[path] for path in [("h", "i"), ("h",), ("h", "j")]] == [5, 6, 7]


def test_what_is_missing_has_the_line_of_what_it_would_stand_in() -> None:
    """A path that is not there gets the line of its table; a key of the file itself gets none."""
    lines = toml_lines('[[subgoals]]\nid = "a"\n\n[[subgoals]]\n')
    assert lines["subgoals", 1, "id"] == 4
    assert lines["name",] is None
