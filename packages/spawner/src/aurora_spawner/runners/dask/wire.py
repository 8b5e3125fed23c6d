"""What crosses the network: text, and no object of anybody's that would have to be unpickled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from aurora_spawner.errors import SpawnError
from aurora_spawner.events import Event, OutputLine, ProviderLimited, Warned
from aurora_spawner.journal.records import from_text, to_text
from aurora_spawner.models import SpawnRequest, SpawnResult

__all__ = [
    "events_from",
    "misuse",
    "read_request",
    "read_result",
    "told",
    "write_request",
    "write_result",
]

# What one attempt tells of itself; whoever recovers it tells of attempts and retries.
_EVENTS: Mapping[str, type[OutputLine | Warned | ProviderLimited]] = {
    kind.__name__: kind for kind in (OutputLine, Warned, ProviderLimited)
}

_OURS = version("aurora-spawner")


def write_request(request: SpawnRequest) -> str:
    """A request, and which version of us made it."""
    return json.dumps([_OURS, to_text(request)])


def read_request(text: str) -> SpawnRequest:
    """The request.

    Raises:
        SpawnError: Another version made it, which may mean something else by it.
    """
    theirs, content = json.loads(text)
    if theirs != _OURS:
        raise SpawnError(
            f"a worker has aurora-spawner {_OURS}, and the client {theirs}; "
            "install the same version on both"
        )
    return from_text(SpawnRequest, content)


def write_result(result: SpawnResult) -> str:
    """A result."""
    return json.dumps({"result": to_text(result)})


def misuse(error: SpawnError) -> str:
    """In the place of a result: the request cannot be run as it stands."""
    return json.dumps({"misuse": str(error)})


def read_result(text: str) -> SpawnResult:
    """The result.

    Raises:
        SpawnError: The request could not be run as it stands.
    """
    said = json.loads(text)
    if "misuse" in said:
        raise SpawnError(said["misuse"])
    return from_text(SpawnResult, said["result"])


def told(events: Iterable[Event]) -> list[list[str]]:
    """Events, each as its name and its content."""
    return [[type(event).__name__, to_text(event)] for event in events]


def events_from(pairs: Iterable[Iterable[str]]) -> Iterator[Event]:
    """The events that are known here."""
    for name, content in pairs:
        if name in _EVENTS:
            yield from_text(_EVENTS[name], content)
