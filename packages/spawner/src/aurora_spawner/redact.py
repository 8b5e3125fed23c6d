"""Secrets taken out of a stream of bytes, also where a secret is cut by the border of two chunks.

What is secret: the value of any variable whose name says so (KEY, TOKEN, SECRET, PASSWORD) and
that is at least 8 characters long, and what is named besides. Otherwise best effort: a secret that
is encoded, split by a newline or shown in part is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["REDACTED", "Redactor", "redact", "secrets_in"]

REDACTED = b"[redacted]"
"""What stands in the place of a secret."""

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)

# Shorter values are words of everyday life, and taking them out would ruin the text.
_SHORTEST = 8


def secrets_in(environment: Mapping[str, str], named: Iterable[str] = ()) -> frozenset[str]:
    """The secrets of an environment.

    Args:
        environment: Variables by name.
        named: Names of further variables that hold secrets, whatever their length.
    """
    found = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST
    }
    found.update(environment[name] for name in named if environment.get(name))
    return frozenset(found)


class Redactor:
    """Takes secrets out of one stream.

    Holds back as many bytes as the longest secret is long, less one, until it is known that no
    secret begins in them.
    """

    __slots__ = ("_held", "_overlap", "_pattern")

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first, since one secret may begin with another.
        known = sorted((secret.encode() for secret in secrets if secret), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, known))) if known else None
        self._overlap = len(known[0]) - 1 if known else 0
        self._held = b""

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        """Take the next bytes; return those that can be shown by now, with `final` all."""
        if self._pattern is None:
            return data
        text = self._held + data
        shown = bytearray()
        position = 0
        for secret in self._pattern.finditer(text):
            shown += text[position : secret.start()] + REDACTED
            position = secret.end()
        safe = len(text) if final else max(position, len(text) - self._overlap)
        shown += text[position:safe]
        self._held = text[safe:]
        return bytes(shown)


def redact(text: str, secrets: Iterable[str]) -> str:
    """A whole text without the secrets."""
    cleaned = Redactor(secrets).feed(text.encode("utf-8", "surrogatepass"), final=True)
    return cleaned.decode("utf-8", "surrogatepass")
