"""What the readers of JSON share: reading untrusted JSON without trusting its shape."""

from __future__ import annotations

import json
from typing import Any

from aurora_spawner.failures import FailureType, classify, classify_status

__all__ = ["failure_of", "member", "parse_object"]


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


def failure_of(message: str, status: object = None) -> FailureType:
    """The kind of a failure that a tool reports with a message and perhaps an HTTP status."""
    known = classify_status(status) if isinstance(status, int) else None
    return known or classify(message)
