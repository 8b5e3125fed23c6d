"""What the server can do with a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .requests import Asked

# What every answer and every call is said to have used, so that tests know the cost.
TOKENS_IN = 40
TOKENS_OUT = 8


class Failure(StrEnum):
    """How a provider refuses; each protocol has its own status and words for it."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    AUTH = "auth"
    SERVER = "server"
    OVERLOADED = "overloaded"
    TOO_LONG = "too_long"


@dataclass(frozen=True)
class Say:
    """Answer with a text, a word every `pause` seconds."""

    text: str
    pause: float = 0.0


@dataclass(frozen=True)
class Call:
    """Ask the agent to run a shell command."""

    command: str


@dataclass(frozen=True)
class Refuse:
    """Refuse; `retry_after` is the header, in seconds."""

    failure: Failure
    retry_after: int | None = None


@dataclass(frozen=True)
class Break:
    """Begin to answer, and tell of a failure in the middle of the stream: the status was 200."""

    failure: Failure


@dataclass(frozen=True)
class Hang:
    """Say nothing, and keep the connection."""


@dataclass(frozen=True)
class Cut:
    """Begin to answer, and close the connection in the middle."""


Act = Say | Call | Refuse | Break | Hang | Cut

Script = Callable[[Asked], Act]
"""What to do with a request; called once for each, in the order of their arrival."""
