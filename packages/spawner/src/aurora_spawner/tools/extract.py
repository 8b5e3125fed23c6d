"""`extract`: no model. It answers with the most relevant lines of its prompt, and says so.

Good for trying a plan and for tests, since it costs nothing and gives the same answer each time.
It is never chosen by itself.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.models import SpawnRequest
from aurora_spawner.tools.adapter import Invocation, Reader, TextReader

__all__ = ["ExtractTool", "extract", "main"]

# About what fits on a screen beside other answers.
_LINES = 12

_WORD = re.compile(r"[^\W_]{3,}")


class ExtractTool:
    """Runs `extract` in a process of its own, like any other tool."""

    name = "extract"
    executable = sys.executable
    install = "it ships with aurora-spawner"
    tested = ()
    structured = False
    streams = False
    answers = True
    terminal = ()

    def invocation(self, request: SpawnRequest) -> Invocation:
        """This Python; `-P` keeps the agent's folder from shadowing our modules."""
        if request.session_id:
            raise InvalidTaskError("session_id", "extract has no sessions to go on with")
        program = f"from {__name__} import main; main()"
        return Invocation((sys.executable, "-P", "-c", program), request.prompt.encode())

    def reader(self) -> Reader:
        """Standard output is the answer."""
        return TextReader()


def extract(prompt: str, limit: int = _LINES) -> str:
    """The `limit` lines of `prompt` that say most, in their order, below a line that says so.

    A line's weight is the sum of its words' inverse document frequencies, lines being the
    documents (tf-idf), twice for words of the prompt's first line, over the square root of its
    length, so that long lines do not win by length alone.
    """
    stripped = [line.strip() for line in prompt.splitlines()]
    # Rules and fences (`--- begin NAME ---`) only part what says something.
    lines = [line for line in stripped if line and not line.startswith("---")]
    words = [_WORD.findall(line.lower()) for line in lines]
    frequency = Counter(word for line in words for word in set(line))
    question = set(words[0]) if words else set()

    def weight(line: list[str]) -> float:
        total = sum(
            math.log(1 + len(lines) / frequency[word]) * (2 if word in question else 1)
            for word in line
        )
        return total / math.sqrt(len(line) or 1)

    ranked = sorted(range(len(lines)), key=lambda index: (-weight(words[index]), index))
    chosen = [lines[index] for index in sorted(ranked[:limit])]
    head = f"[extract: no model; the {len(chosen)} most relevant of {len(lines)} lines]"
    return "\n".join([head, *chosen])


def main() -> None:
    """Read a prompt from standard input, print the extract."""
    prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdout.buffer.write(f"{extract(prompt)}\n".encode())
