"""Which kind of failure is it? The table is what real agent CLIs were seen to print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import FailureType, classify
from aurora_spawner.failures import PERMANENT, classify_status, signal_name

SAID = {
    FailureType.RATE_LIMIT: [
        "API Error: Request rejected (429)",
        "exceeded retry limit, last status: 429 Too Many Requests",
        "Quota exceeded. Check your plan and billing details.",
        "Attempt 1 failed with status 429. Retrying with backoff...",
        "AI_APICallError: Rate limit reached",
        "Error: Error code: 429 -",
        "litellm.RateLimitError",
        "model.call_failure{statusCode:429}",
        'errorType:"rate_limit"',
        "You have reached your usage limit",
    ],
    FailureType.INVALID_MODEL: [
        "invalid model: gpt-9",
        "Error: Unknown model: 'x'",
        "model: claude-9 not found",
        "The model `gpt-9` does not exist or you do not have access to it",
    ],
    FailureType.AUTH: [
        "Invalid API key",
        "Reconnecting... 1/5 (unexpected status 401 Unauthorized",
        "Error: Error code: 401 -",
        "[API Error: 401 ...]",
        "litellm.AuthenticationError",
        'errorType:"authentication"',
        "Not logged in",
        "auth error",
    ],
    FailureType.FORBIDDEN: ["403 Forbidden", "permission denied", "HTTP 403"],
    FailureType.INVALID_REQUEST: [
        "Prompt is too long",
        "ran out of room in the model's context window",
        "ContextOverflowError",
        "has hit a token limit!",
        "400 Bad Request",
        "invalid_request_error",
    ],
    FailureType.NOT_FOUND: ["sh: 1: foo: not found", "No such file or directory"],
    FailureType.INFERENCE: [
        "API Error: 529 Overloaded.",
        "currently experiencing high demand",
        "500 Internal Server Error",
        "API Error: 503",
        "Inference failed",
        "API error",
    ],
    FailureType.CONNECTION: [
        "API Error: Unable to connect to API (ConnectionRefused)",
        "Reconnecting... waiting for network",
        "[API Error: Connection error.",
        "Could not connect to local model provider",
        "connect ECONNREFUSED 127.0.0.1:80",
        "getaddrinfo ENOTFOUND",
    ],
    FailureType.TIMEOUT: ["Timeout after 60s", "Request timed out", "deadline exceeded"],
    FailureType.CRASH: ["", "boom", "Segmentation fault", "took 429 ms", "line 401 is odd"],
}


@pytest.mark.parametrize(
    ("text", "kind"), [(text, kind) for kind, said in SAID.items() for text in said]
)
def test_what_the_clis_say(text: str, kind: FailureType) -> None:
    """The real message tells its kind, in any case of its letters."""
    assert classify(text) == classify(text.upper()) == classify(f"{text}\nsecond line") == kind


def test_exit_code_decides_where_the_text_says_nothing() -> None:
    """The shell's 127 means not found, unless the text says something else."""
    assert classify("", exit_code=127) is FailureType.NOT_FOUND
    assert classify("", exit_code=1) is FailureType.CRASH
    assert classify("429 Too Many Requests", exit_code=127) is FailureType.RATE_LIMIT


@given(st.text(), st.integers(-64, 255))
def test_any_text_has_a_kind(text: str, exit_code: int) -> None:
    """Classification never fails, whatever was said."""
    assert classify(text, exit_code=exit_code) in FailureType


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureType.INVALID_REQUEST),
        (401, FailureType.AUTH),
        (403, FailureType.FORBIDDEN),
        (404, FailureType.NOT_FOUND),
        (408, FailureType.TIMEOUT),
        (413, FailureType.INVALID_REQUEST),
        (422, FailureType.INVALID_REQUEST),
        (429, FailureType.RATE_LIMIT),
        (500, FailureType.INFERENCE),
        (529, FailureType.INFERENCE),
        (200, None),
        (418, None),
    ],
)
def test_http_status(status: int, kind: FailureType | None) -> None:
    """An HTTP status of a failure tells its kind; others tell none."""
    assert classify_status(status) is kind


def test_the_kinds_are_a_promise() -> None:
    """The failure types are these strings, since breakers and journals keep them."""
    assert {str(kind) for kind in FailureType} == {
        "timeout",
        "error_pattern",
        "inference",
        "crash",
        "auth",
        "forbidden",
        "not_found",
        "invalid_model",
        "invalid_request",
        "rate_limit",
        "connection",
        "check_failed",
    }


def test_permanent_kinds() -> None:
    """Permanent is what the same call would meet again at once, and nothing that may pass."""
    assert {str(kind) for kind in PERMANENT} == {
        "auth",
        "forbidden",
        "not_found",
        "invalid_model",
        "invalid_request",
    }


def test_signals_have_names() -> None:
    """F17: a signal is named for people, an unnamed one by its number."""
    assert signal_name(11) == "SIGSEGV"
    assert signal_name(9) == "SIGKILL"
    assert signal_name(250) == "signal 250"
