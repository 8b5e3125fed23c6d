"""Which kind of failure is this? Told from a text, a signal or an exit code; pure.

The kinds are the strings that a circuit breaker counts by. The order of `_SIGNS` is the
rule: the first line that matches decides, so a provider's limit is seen before the generic
"API error" around it, and a missing model before a missing file.
"""

from __future__ import annotations

import re
import signal
from enum import StrEnum

__all__ = ["PERMANENT", "FailureType", "classify", "classify_status", "retry_after", "signal_name"]


class FailureType(StrEnum):
    """What went wrong, as far as it can be told."""

    TIMEOUT = "timeout"
    ERROR_PATTERN = "error_pattern"
    INFERENCE = "inference"
    CRASH = "crash"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID_MODEL = "invalid_model"
    INVALID_REQUEST = "invalid_request"
    RATE_LIMIT = "rate_limit"
    CONNECTION = "connection"
    CHECK_FAILED = "check_failed"


PERMANENT = frozenset(
    {
        FailureType.AUTH,
        FailureType.FORBIDDEN,
        FailureType.NOT_FOUND,
        FailureType.INVALID_MODEL,
        FailureType.INVALID_REQUEST,
    }
)
"""Failures that the same call would meet again at once; retrying them only costs."""

# The phrases are what real agent CLIs print (claude, codex, gemini, opencode, llm, aider);
# status numbers count only where a word beside them says that they are one.
_STATUS = r"(?:status|code|error|http|api error|rejected)\W{0,3}"
_SIGNS: tuple[tuple[FailureType, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            FailureType.RATE_LIMIT,
            rf"rate.?limit|too many requests|quota|usage limit|credit balance|{_STATUS}429\b",
        ),
        (
            FailureType.INVALID_MODEL,
            r"(?:invalid|unknown|unsupported) model|model.{0,80}(?:not found|does not exist)",
        ),
        (
            FailureType.AUTH,
            rf"\bauth\b|authenticat|unauthori[sz]ed|api.?key|not logged in|{_STATUS}401\b",
        ),
        (FailureType.FORBIDDEN, rf"forbidden|permission denied|{_STATUS}403\b"),
        (
            FailureType.INVALID_REQUEST,
            r"invalid.?request|bad request|prompt is too long|context.?(?:length|window|overflow)"
            rf"|token limit|{_STATUS}400\b",
        ),
        (FailureType.NOT_FOUND, r"not found|no such file|not on path"),
        (
            FailureType.INFERENCE,
            rf"inference|overloaded|server (?:had an )?error|high demand|{_STATUS}5\d\d\b",
        ),
        (
            FailureType.CONNECTION,
            r"connection|disconnected|unable to connect|network|econn|enotfound|etimedout"
            r"|could not connect|fetch failed",
        ),
        (FailureType.TIMEOUT, r"time.?out|timed out|deadline"),
        (FailureType.INFERENCE, r"api.?error|model"),
        (FailureType.ERROR_PATTERN, r"early detection|error pattern"),
    )
)


def classify(text: str, *, exit_code: int | None = None) -> FailureType:
    """Tell the kind of a failure from what was said about it.

    Args:
        text: Error message, standard error or reason of an early end.
        exit_code: 0-255, or minus a signal number; decides only where the text says nothing.

    Returns:
        The first kind whose signs the text shows; `not_found` for the shell's exit code 127;
        otherwise `crash`.
    """
    for kind, sign in _SIGNS:
        if sign.search(text):
            return kind
    # POSIX shells exit 127 for a command that they could not find.
    return FailureType.NOT_FOUND if exit_code == 127 else FailureType.CRASH


_RETRY_AFTER = re.compile(
    r"(?:retry|try again)(?:[ _-]?(?:after|in|delay))\W{0,4}(\d{1,6}(?:\.\d{1,6})?)\s*"
    r"(ms|milliseconds?|s|sec|seconds?|m|min|minutes?|h|hours?)?\b",
    re.IGNORECASE,
)
_SECONDS = {"ms": 0.001, "mi": 60.0, "m": 60.0, "h": 3600.0}


def retry_after(text: str) -> float | None:
    """Seconds that a provider asks to wait, as in `Retry-After: 20` or `try again in 1.5s`.

    A number without a unit is seconds, as in HTTP. None where nothing is asked.
    """
    found = _RETRY_AFTER.search(text)
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    if unit.startswith("milli"):
        unit = "ms"
    return float(found[1]) * _SECONDS.get(unit[:2], _SECONDS.get(unit[:1], 1.0))


def signal_name(number: int) -> str:
    """Name a signal for people: `SIGSEGV`, or `signal 64` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_BY_STATUS = {
    400: FailureType.INVALID_REQUEST,
    401: FailureType.AUTH,
    403: FailureType.FORBIDDEN,
    404: FailureType.NOT_FOUND,
    408: FailureType.TIMEOUT,
    413: FailureType.INVALID_REQUEST,
    422: FailureType.INVALID_REQUEST,
    429: FailureType.RATE_LIMIT,
}


def classify_status(status: int) -> FailureType | None:
    """The kind of failure that an HTTP status of 400 or more announces; None if it has none."""
    return _BY_STATUS.get(status, FailureType.INFERENCE if status >= 500 else None)
