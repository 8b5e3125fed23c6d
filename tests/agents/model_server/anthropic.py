"""Anthropic's Messages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .acts import TOKENS_IN, TOKENS_OUT, Call, Failure, Say
from .protocol import Body, event, words
from .requests import Asked, count, shell_among, texts

_REFUSALS = {
    Failure.RATE_LIMIT: (429, "rate_limit_error", "Rate limit reached"),
    Failure.QUOTA: (400, "invalid_request_error", "Your credit balance is too low"),
    Failure.AUTH: (401, "authentication_error", "invalid x-api-key"),
    Failure.SERVER: (500, "api_error", "Internal server error"),
    Failure.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Failure.TOO_LONG: (
        400,
        "invalid_request_error",
        "prompt is too long: 250000 tokens > 200000 maximum",
    ),
}


def serves(path: str) -> bool:
    return path.endswith("/v1/messages")


def asked(path: str, body: Body) -> Asked:
    tools = body.get("tools")
    offered = [(t.get("name"), t.get("input_schema")) for t in tools or () if isinstance(t, dict)]
    messages = body.get("messages")
    return Asked(
        model=str(body.get("model")),
        text="\n".join(texts(messages)),
        turn=count(messages, type="tool_result"),
        shell=shell_among(offered),
    )


def _content(act: Say | Call, asked: Asked) -> dict[str, object]:
    if isinstance(act, Say):
        return {"type": "text", "text": act.text}
    assert asked.shell is not None
    arguments = asked.shell.arguments(act.command)
    return {
        "type": "tool_use",
        "id": f"toolu_{asked.number}",
        "name": asked.shell.name,
        "input": arguments,
    }


def _reason(act: Say | Call) -> str:
    return "end_turn" if isinstance(act, Say) else "tool_use"


def whole(act: Say | Call, asked: Asked) -> Body:
    return {
        "id": f"msg_{asked.number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [_content(act, asked)],
        "stop_reason": _reason(act),
        "stop_sequence": None,
        "usage": {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT},
    }


def events(act: Say | Call, asked: Asked) -> Iterator[bytes]:
    for data in _stream(act, asked):
        yield event(data, str(data["type"]))


def _stream(act: Say | Call, asked: Asked) -> Iterator[dict[str, object]]:
    content = _content(act, asked)
    usage = {"input_tokens": TOKENS_IN, "output_tokens": 1}
    message = {**whole(act, asked), "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": message}
    if isinstance(act, Say):
        empty = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": word} for word in words(act.text)]
    else:
        empty = {**content, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(content["input"])}]
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _reason(act), "stop_sequence": None},
        "usage": {"output_tokens": TOKENS_OUT},
    }
    yield {"type": "message_stop"}


def breaking(failure: Failure, asked: Asked) -> bytes:
    _, body = refusal(failure)
    return event(body, "error")


def refusal(failure: Failure) -> tuple[int, Body]:
    status, kind, message = _REFUSALS[failure]
    return status, {"type": "error", "error": {"type": kind, "message": message}}
