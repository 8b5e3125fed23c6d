"""How OpenAI refuses, in both of its protocols."""

from __future__ import annotations

from .acts import Failure
from .protocol import Body

_REFUSALS = {
    Failure.RATE_LIMIT: (429, "rate_limit_exceeded", "Rate limit reached"),
    Failure.QUOTA: (
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    Failure.AUTH: (401, "invalid_api_key", "Incorrect API key provided"),
    Failure.SERVER: (500, "server_error", "The server had an error while processing your request"),
    Failure.OVERLOADED: (503, "server_is_overloaded", "The engine is currently overloaded"),
    Failure.TOO_LONG: (
        400,
        "context_length_exceeded",
        "This model's maximum context length is 200000 tokens, your input has 250000 tokens.",
    ),
}

_TYPES = {
    429: "requests",
    401: "invalid_request_error",
    400: "invalid_request_error",
    500: "server_error",
    503: "server_error",
}


def refusal(failure: Failure) -> tuple[int, Body]:
    status, code, message = _REFUSALS[failure]
    kind = code if failure is Failure.QUOTA else _TYPES[status]
    return status, {"error": {"message": message, "type": kind, "param": None, "code": code}}
