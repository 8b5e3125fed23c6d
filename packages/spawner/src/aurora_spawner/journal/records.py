"""Results as text and back, by the fields of their dataclass; and seals against silent damage.

A text written by another version is read as far as this one understands it: a field that is not
known here is left out, a field that is missing there has its default.
"""

from __future__ import annotations

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

__all__ = ["from_text", "seal", "to_text"]

_T = TypeVar("_T")


def to_text(value: object) -> str:
    """A dataclass as JSON; readable unless it holds what UTF-8 cannot (a lone surrogate)."""
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=_plain)
    return text


def from_text(kind: type[_T], text: str) -> _T:
    """The dataclass back from its text.

    Raises:
        ValueError: The text is no JSON object with what `kind` cannot do without.
    """
    document = json.loads(text)
    try:
        value: _T = _restored(kind, document)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error
    return value


def seal(*columns: str | float | None) -> bytes:
    """A digest of a row. SQLite's own pages carry none, so a flipped bit in a text would pass.

    16 bytes of BLAKE2b over type, length and value of each column.
    """
    digest = hashlib.blake2b(digest_size=16)
    for column in columns:
        data = column.encode() if isinstance(column, str) else repr(column).encode()
        digest.update(f"{type(column).__name__} {len(data)} ".encode())
        digest.update(data)
    return digest.digest()


def _plain(value: object) -> object:
    """What JSON does not know by itself; enumerations of strings it does."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be recorded")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _restored(hint: Any, value: Any) -> Any:
    """A value out of JSON as its annotation says."""
    origin, choices = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(choices, value)
    if origin is typing.Literal:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {choices}")
        return value
    if origin is tuple:
        endless = choices[-1] is Ellipsis
        kinds = [choices[0]] * len(value) if endless else choices
        return tuple(_restored(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is list:
        return [_restored(choices[0], item) for item in value]
    if origin is not None and issubclass(origin, Mapping):
        return {key: _restored(choices[1], item) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if isinstance(hint, type) and is_dataclass(hint):
        kind: type = hint
        known = _hints(kind)
        return kind(
            **{name: _restored(known[name], item) for name, item in value.items() if name in known}
        )
    return value


def _first_that_fits(choices: tuple[Any, ...], value: Any) -> Any:
    """The value as the first choice that can hold it; None where a newer version's cannot be."""
    if value is None:
        return None
    for choice in choices:
        if choice is not type(None):
            try:
                return _restored(choice, value)
            except (AttributeError, TypeError, ValueError):
                continue
    return None
