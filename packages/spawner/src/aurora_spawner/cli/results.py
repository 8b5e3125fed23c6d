"""Results as lines of JSON, in the order of the input; pure.

A line holds no character that a terminal would obey, reorder or hide: such ones are escaped as
JSON escapes them, so that whoever parses the line gets them back as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from unicodedata import category

from aurora_spawner.cli.jobs import Job
from aurora_spawner.models import SpawnResult

__all__ = ["InOrder", "result_line"]

# Cc control, Cf format (marks that reorder text too), Cs lone surrogate, Zl and Zp separators.
_UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def result_line(job: Job, result: SpawnResult, *, kept: bool = False) -> bytes:
    """One result as JSON and a newline.

    Args:
        job: What was asked.
        result: What became of it.
        kept: It comes from the journal of an earlier run.
    """
    text = json.dumps(
        {
            "v": 1,
            "index": job.index,
            "id": job.id,
            "input": job.input,
            "success": result.success,
            "output": result.output,
            "error": result.error,
            "failure_type": result.failure_type,
            "exit_code": result.exit_code,
            "tool": result.tool,
            "retries": result.retry_count,
            "duration_ms": round(result.execution_time * 1000),
            "stderr": result.stderr,
            "dropped_bytes": result.dropped_bytes,
            "warnings": result.warnings,
            "leftovers": result.leftovers,
            "kept": kept,
            "cost_usd": result.cost_usd,
            "tokens_in": result.tokens_in,
            "tokens_out": result.tokens_out,
            "session_id": result.session_id,
            "model": result.model,
            "tool_version": result.tool_version,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    unsafe = {ord(each): _escaped(each) for each in set(text) if category(each) in _UNSAFE}
    return f"{text.translate(unsafe)}\n".encode()


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = (units[place : place + 2] for place in range(0, len(units), 2))
    return "".join(f"\\u{pair.hex()}" for pair in pairs)


class InOrder:
    """Holds lines back until every earlier one is there.

    Attributes:
        held: Bytes that are held back.
    """

    def __init__(self) -> None:
        self.held = 0
        self._next = 0
        self._waiting: dict[int, bytes] = {}

    @property
    def missing(self) -> int:
        """The index that everything waits for."""
        return self._next

    def add(self, index: int, line: bytes) -> Iterator[bytes]:
        """Take the line of an index; give those whose turn has come."""
        self._waiting[index] = line
        self.held += len(line)
        while self._next in self._waiting:
            yield self._take(self._next)
            self._next += 1

    def rest(self) -> Iterator[bytes]:
        """Everything that is held, in order: what is missing will not come any more."""
        for index in sorted(self._waiting):
            yield self._take(index)

    def _take(self, index: int) -> bytes:
        line = self._waiting.pop(index)
        self.held -= len(line)
        return line
