"""OpenAI's Chat Completions."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .acts import TOKENS_IN, TOKENS_OUT, Call, Failure, Say
from .openai_errors import refusal
from .protocol import Body, event, words
from .requests import Asked, count, shell_among, texts

__all__ = ["asked", "breaking", "events", "refusal", "serves", "whole"]

_USAGE = {
    "prompt_tokens": TOKENS_IN,
    "completion_tokens": TOKENS_OUT,
    "total_tokens": TOKENS_IN + TOKENS_OUT,
}


def serves(path: str) -> bool:
    return path.endswith("/chat/completions")


def asked(path: str, body: Body) -> Asked:
    tools = body.get("tools")
    functions = [t.get("function") or {} for t in tools or () if isinstance(t, dict)]
    messages = body.get("messages")
    return Asked(
        model=str(body.get("model")),
        text="\n".join(texts(messages)),
        turn=count(messages, role="tool"),
        shell=shell_among([(f.get("name"), f.get("parameters")) for f in functions]),
    )


def _call(act: Call, asked: Asked) -> list[dict[str, object]]:
    assert asked.shell is not None
    arguments = json.dumps(asked.shell.arguments(act.command))
    function = {"name": asked.shell.name, "arguments": arguments}
    return [{"index": 0, "id": f"call_{asked.number}", "type": "function", "function": function}]


def _reason(act: Say | Call) -> str:
    return "stop" if isinstance(act, Say) else "tool_calls"


def whole(act: Say | Call, asked: Asked) -> Body:
    message: dict[str, object] = {"role": "assistant", "content": None}
    if isinstance(act, Say):
        message["content"] = act.text
    else:
        message["tool_calls"] = _call(act, asked)
    choice = {"index": 0, "message": message, "finish_reason": _reason(act)}
    return {**_head(asked, "chat.completion"), "choices": [choice], "usage": _USAGE}


def _head(asked: Asked, kind: str) -> dict[str, object]:
    return {"id": f"chat_{asked.number}", "object": kind, "created": 1, "model": asked.model}


def events(act: Say | Call, asked: Asked) -> Iterator[bytes]:
    head = _head(asked, "chat.completion.chunk")
    deltas: list[dict[str, object]]
    if isinstance(act, Say):
        deltas = [{"content": word} for word in words(act.text)]
    else:
        deltas = [{"tool_calls": _call(act, asked)}]
    for delta in ({"role": "assistant"}, *deltas):
        yield event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": _reason(act)}
    yield event({**head, "choices": [last]})
    yield event({**head, "choices": [], "usage": _USAGE})
    yield event("[DONE]")


def breaking(failure: Failure, asked: Asked) -> bytes:
    _, body = refusal(failure)
    return event(body)
