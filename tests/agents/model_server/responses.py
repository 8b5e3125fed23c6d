"""OpenAI's Responses."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .acts import TOKENS_IN, TOKENS_OUT, Call, Failure, Say
from .openai_errors import refusal
from .protocol import Body, event, words
from .requests import Asked, count, shell_among, texts

__all__ = ["asked", "breaking", "events", "refusal", "serves", "whole"]

_USAGE = {
    "input_tokens": TOKENS_IN,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": TOKENS_OUT,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": TOKENS_IN + TOKENS_OUT,
}


def serves(path: str) -> bool:
    return path.endswith("/responses")


def asked(path: str, body: Body) -> Asked:
    tools = body.get("tools")
    offered = [(t.get("name"), t.get("parameters")) for t in tools or () if isinstance(t, dict)]
    said = body.get("input")
    return Asked(
        model=str(body.get("model")),
        text="\n".join(texts(said)),
        turn=count(said, type="function_call_output"),
        shell=shell_among(offered),
    )


def _item(act: Say | Call, asked: Asked) -> dict[str, object]:
    if isinstance(act, Say):
        content = [{"type": "output_text", "text": act.text, "annotations": []}]
        return {
            "type": "message",
            "id": f"msg_{asked.number}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    assert asked.shell is not None
    return {
        "type": "function_call",
        "id": f"fc_{asked.number}",
        "call_id": f"call_{asked.number}",
        "name": asked.shell.name,
        "arguments": json.dumps(asked.shell.arguments(act.command)),
        "status": "completed",
    }


def whole(act: Say | Call, asked: Asked) -> Body:
    return {
        "id": f"resp_{asked.number}",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": asked.model,
        "output": [_item(act, asked)],
        "usage": _USAGE,
    }


def events(act: Say | Call, asked: Asked) -> Iterator[bytes]:
    for number, data in enumerate(_stream(act, asked)):
        yield event({**data, "sequence_number": number}, str(data["type"]))


def _stream(act: Say | Call, asked: Asked) -> Iterator[dict[str, object]]:
    response, item = dict(whole(act, asked)), _item(act, asked)
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    empty = {**item, "status": "in_progress"}
    empty |= {"content": []} if isinstance(act, Say) else {"arguments": ""}
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    for word in words(act.text) if isinstance(act, Say) else ():
        yield {
            "type": "response.output_text.delta",
            "item_id": item["id"],
            "output_index": 0,
            "content_index": 0,
            "delta": word,
        }
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": response}


def breaking(failure: Failure, asked: Asked) -> bytes:
    _, body = refusal(failure)
    told = body["error"]
    assert isinstance(told, dict)
    error = {"code": told["code"], "message": told["message"]}
    response = {**whole(Say(""), asked), "status": "failed", "output": [], "usage": None}
    failed = {"type": "response.failed", "response": {**response, "error": error}}
    return event({**failed, "sequence_number": 1}, "response.failed")
