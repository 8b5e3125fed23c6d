"""Gemini's generateContent and streamGenerateContent."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .acts import TOKENS_IN, TOKENS_OUT, Call, Failure, Say
from .protocol import Body, event, words
from .requests import Asked, shell_among, texts

_REFUSALS = {
    Failure.RATE_LIMIT: (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"),
    Failure.QUOTA: (
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    Failure.AUTH: (401, "UNAUTHENTICATED", "API key not valid. Please pass a valid API key."),
    Failure.SERVER: (500, "INTERNAL", "An internal error has occurred"),
    Failure.OVERLOADED: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    Failure.TOO_LONG: (
        400,
        "INVALID_ARGUMENT",
        "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
    ),
}


def serves(path: str) -> bool:
    return path.endswith((":generateContent", ":streamGenerateContent"))


def asked(path: str, body: Body) -> Asked:
    contents = body.get("contents")
    groups = [t for t in body.get("tools") or () if isinstance(t, dict)]  # type: ignore[attr-defined]
    functions = [f for group in groups for f in group.get("functionDeclarations") or ()]
    schema = ("parametersJsonSchema", "parameters")
    offered = [(f.get("name"), f.get(schema[0]) or f.get(schema[1])) for f in functions]
    return Asked(
        model=path.rpartition("/")[2].partition(":")[0],
        text="\n".join(texts(contents)),
        turn=_results(contents),
        shell=shell_among(offered),
    )


def _results(value: object) -> int:
    if isinstance(value, dict):
        return ("functionResponse" in value) + sum(map(_results, value.values()))
    return sum(map(_results, value)) if isinstance(value, list) else 0


def _candidate(part: dict[str, object], reason: str | None) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return candidate | ({"finishReason": reason} if reason else {})


def _reply(part: dict[str, object], asked: Asked, reason: str | None) -> Body:
    usage = {
        "promptTokenCount": TOKENS_IN,
        "candidatesTokenCount": TOKENS_OUT,
        "totalTokenCount": TOKENS_IN + TOKENS_OUT,
    }
    return {
        "candidates": [_candidate(part, reason)],
        "modelVersion": asked.model,
        **({"usageMetadata": usage} if reason else {}),
    }


def _call(act: Call, asked: Asked) -> dict[str, object]:
    assert asked.shell is not None
    arguments = asked.shell.arguments(act.command)
    return {"functionCall": {"name": asked.shell.name, "args": arguments}}


def whole(act: Say | Call, asked: Asked) -> Body:
    part = {"text": act.text} if isinstance(act, Say) else _call(act, asked)
    return _reply(part, asked, "STOP")


def events(act: Say | Call, asked: Asked) -> Iterator[bytes]:
    if isinstance(act, Call):
        yield event(_reply(_call(act, asked), asked, "STOP"))
        return
    *before, last = words(act.text)
    for word in before:
        yield event(_reply({"text": word}, asked, None))
    yield event(_reply({"text": last}, asked, "STOP"))


def breaking(failure: Failure, asked: Asked) -> bytes:
    # A document of its own, in the middle of the events.
    _, body = refusal(failure)
    return json.dumps(body).encode()


def refusal(failure: Failure) -> tuple[int, Body]:
    status, name, message = _REFUSALS[failure]
    return status, {"error": {"code": status, "status": name, "message": message}}
