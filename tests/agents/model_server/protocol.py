"""What a protocol is to the server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Protocol as Shape

from .acts import Call, Failure, Say
from .requests import Asked

Body = Mapping[str, object]


class Protocol(Shape):
    """One protocol; a module is enough."""

    def serves(self, path: str) -> bool:
        """Whether a POST to this path, without its query, asks for an answer."""

    def asked(self, path: str, body: Body) -> Asked:
        """What the request says."""

    def events(self, act: Say | Call, asked: Asked) -> Iterator[bytes]:
        """The answer as a stream of server-sent events; the last one ends it."""

    def whole(self, act: Say | Call, asked: Asked) -> Body:
        """The answer in one piece."""

    def refusal(self, failure: Failure) -> tuple[int, Body]:
        """Status and body."""

    def breaking(self, failure: Failure, asked: Asked) -> bytes:
        """The event that tells of it after the first one of `events`."""


def event(data: object, name: str | None = None) -> bytes:
    """A server-sent event."""
    head = f"event: {name}\n" if name else ""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"{head}data: {text}\n\n".encode()


def words(text: str) -> list[str]:
    """The pieces in which a text is streamed."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]
