"""The kinds of values that plans and settings are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from aurora_spawner import parse_duration

__all__ = ["AtLeastOne", "Command", "Count", "Name", "Seconds", "items", "words"]


def words(value: object) -> object:
    """A list of words; a text is none, since we are no shell."""
    if isinstance(value, str):
        raise ValueError('must be a list of words, as in ["make", "test"]')
    return items(value)


def items(value: object) -> object:
    """A tuple in the place of a list."""
    # Strictness would refuse a list where a tuple is kept.
    return tuple(value) if isinstance(value, list) else value


# What `parse_duration` takes, in the words of JSON Schema.
_DURATION = r"^\s*(?=\S)(\d+(\.\d+)?h)?\s*(\d+(\.\d+)?m)?\s*(\d+(\.\d+)?s?)?\s*$"

Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": _DURATION},
            ],
            "examples": ["90s", "30m", "1h30m"],
        }
    ),
]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Command = Annotated[
    tuple[str, ...],
    BeforeValidator(words),
    # Behind a validator the schema would not have the length.
    Field(min_length=1, json_schema_extra={"minItems": 1}),
]
