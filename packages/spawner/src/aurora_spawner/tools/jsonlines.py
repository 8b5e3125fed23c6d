"""What the readers of JSON share: reading untrusted JSON without trusting its shape."""

from __future__ import annotations

import json
import math
from typing import Any

from aurora_spawner.failures import FailureType, classify, classify_status

__all__ = ["amount", "failure_of", "member", "parse_object", "text_at", "total"]


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` is; an empty one for anything else, such as a stray log line."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if "\\ud" in text.lower():
        # JSON can smuggle in half a character, which nobody could encode.
        whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        value = json.loads(whole)
    return value if isinstance(value, dict) else {}


def member(value: object, *path: str) -> Any:
    """What stands at `path` inside nested objects; None where the path leads nowhere."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(value: object, *path: str) -> str | None:
    """The text at `path`; None where there is none."""
    found = member(value, *path)
    return found if isinstance(found, str) and found else None


def amount(value: object, *path: str) -> float | None:
    """The number at `path`, 0 or more; None where there is none."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    return found if 0 <= found < math.inf else None


def total(value: object, *names: str) -> int | None:
    """The sum of those members of an object that are numbers; None where none is."""
    found = [number for name in names if (number := amount(value, name)) is not None]
    return int(sum(found)) if found else None


def failure_of(message: str, status: object = None) -> FailureType:
    """The kind of a failure that a tool reports with a message and perhaps an HTTP status."""
    known = classify_status(status) if isinstance(status, int) else None
    # 400 is what providers say to everything, an account without credit included.
    if known in (None, FailureType.INVALID_REQUEST):
        told = classify(message)
        return told if known is None or told is FailureType.RATE_LIMIT else known
    return known
