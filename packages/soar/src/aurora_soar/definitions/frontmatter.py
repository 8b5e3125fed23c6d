"""Markdown with YAML before it: what its keys say, and the text below; pure.

The safe loader is used, and what it would pass over is refused before it: tags that make objects,
and aliases, with which a few lines become more than any machine can hold.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from aurora_soar.definitions.definition import DefinitionError

__all__ = ["front_matter"]

_FRONT = re.compile(r"\A---[ \t]*\n(?P<keys>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)

# Characters: descriptions of some pages, and no more than a moment to read.
_LONGEST = 64 * 1024

# Tables in tables: what people write has three.
_DEEPEST = 20

_PLAIN_TAGS = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "map", "null", "seq", "str")
)

# A key with a value on its own line that YAML takes for plain text, or would if it could.
_PLAIN_VALUE = re.compile(r"^(?P<key>[\w-]+):[ \t]+(?P<value>[^\s\"'\[{|>&*!#%@`-].*)$")


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
        keys = _parsed(found["keys"])
    except yaml.YAMLError:
        # The CLIs take a colon in a description, which YAML does not.
        keys = _strictly(_quoted(found["keys"]))
    if keys is None:
        keys = {}
    if not isinstance(keys, dict):
        raise DefinitionError("its front matter must be keys and values", 2)
    return {str(key): value for key, value in keys.items()}, text[found.end() :].strip()


def _strictly(text: str) -> Any:
    try:
        return _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The line with --- comes first.
        line = None if mark is None else mark.line + 2
        raise DefinitionError(f"not valid YAML: {error.problem or error.context}", line) from None
    except yaml.YAMLError as error:
        raise DefinitionError(f"not valid YAML: {error}") from None


def _parsed(text: str) -> Any:
    _refuse_what_is_no_data(text)
    try:
        return yaml.safe_load(text)
    except ValueError as error:
        # A date that no calendar has.
        raise DefinitionError(f"not valid YAML: {error}") from None


def _refuse_what_is_no_data(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        # Its types allow for events without a place; a parser makes none.
        line = event.start_mark.line + 2 if event.start_mark else None
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


def _quoted(text: str) -> str:
    """The same with plain values of the outermost keys in quotes."""
    return "\n".join(
        f"{found['key']}: {json.dumps(found['value'].rstrip())}"
        if (found := _PLAIN_VALUE.match(line)) and re.search(r": | #|:$", found["value"])
        else line
        for line in text.split("\n")
    )
