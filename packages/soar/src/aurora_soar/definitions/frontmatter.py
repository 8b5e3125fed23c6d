"""Markdown with YAML before it: what its keys say, and the text below; pure.

The safe loader is used, and what it would pass over is refused before it: tags that make objects,
and aliases, with which a few lines become more than any machine can hold.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import yaml

from aurora_soar.definitions.definition import DefinitionError

__all__ = ["front_matter"]

_FRONT = re.compile(r"\A---[ \t]*\n(?P<keys>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)

# The line with --- is the first.
_FIRST_LINE = 2

# Characters: descriptions of some pages, and no more than a moment to read.
_LONGEST = 64 * 1024

# Tables in tables: what people write has three.
_DEEPEST = 20

_PLAIN_TAGS = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "null", "seq", "str")
)

_OUTERMOST_KEY = re.compile(r"^[\w-]+:(?=\s|\Z)", re.MULTILINE)

# A value that begins with one of these is more to YAML than the text that it looks like.
_INDICATORS = tuple("\"'[]{}|>&*!#%@`,?")


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The keys before the text, and the text; no keys where nothing stands before it.

    Raises:
        DefinitionError: What stands there is no YAML, holds tags or aliases, or is no table.
    """
    text = text.replace("\r\n", "\n")
    found = _FRONT.match(text)
    if found is None:
        if text.startswith("---"):
            raise DefinitionError("its front matter has no end: a line with --- is missing", 1)
        return {}, text.strip()
    if len(found["keys"]) > _LONGEST:
        raise DefinitionError(f"its front matter has more than {_LONGEST} characters")
    try:
        keys = _data(found["keys"], _FIRST_LINE)
    except yaml.YAMLError as error:
        keys = _key_by_key(found["keys"], error)
    if keys is None:
        keys = {}
    if not isinstance(keys, dict):
        raise DefinitionError("its front matter must be keys and values", _FIRST_LINE)
    return {str(key): value for key, value in keys.items()}, text[found.end() :].strip()


def _data(text: str, first_line: int) -> Any:
    """What a text says that begins at this line of the file.

    Raises:
        yaml.YAMLError: It is no YAML.
        DefinitionError: It is, and refused.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        # Its types allow for events without a place; a parser makes none.
        line = event.start_mark.line + first_line if event.start_mark else None
        if isinstance(event, yaml.AliasEvent):
            raise DefinitionError("YAML aliases are refused: write it out", line)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            raise DefinitionError(f'the YAML tag "{tag}" is refused: it makes objects', line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise DefinitionError("is nested too deeply", line)
    try:
        return yaml.safe_load(text)
    except ValueError as error:
        # A date that no calendar has.
        raise DefinitionError(f"not valid YAML: {error}", first_line) from None


def _key_by_key(text: str, error: yaml.YAMLError) -> dict[str, Any]:
    """What a text says that is no YAML, by the outermost keys, each read by itself.

    The CLIs take descriptions with colons and empty lines in them, and write some. A key that comes
    again stands in such a text, mostly: the first one counts.

    Raises:
        DefinitionError: A key cannot be read by itself, or there is none; tells the error.
    """
    starts = [found.start() for found in _OUTERMOST_KEY.finditer(text)]
    if not starts:
        raise _wrong(error)
    keys: dict[str, Any] = {}
    for start, end in pairwise([*starts, len(text)]):
        key, _, rest = text[start:end].partition(":")
        try:
            said = _data(text[start:end], _FIRST_LINE + text.count("\n", 0, start))
        except yaml.YAMLError:
            plain = rest.strip()
            if not plain or plain.startswith(_INDICATORS):
                raise _wrong(error) from None
            said = {key: plain}
        if not isinstance(said, dict):
            raise _wrong(error)
        for name, value in said.items():
            keys.setdefault(name, value)
    return keys


def _wrong(error: yaml.YAMLError) -> DefinitionError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = None if mark is None else mark.line + _FIRST_LINE
    return DefinitionError(f"not valid YAML: {getattr(error, 'problem', None) or error}", line)
