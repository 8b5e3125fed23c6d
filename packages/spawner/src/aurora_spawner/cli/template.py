"""Templates: what becomes of an input; pure.

`{}` stands for the input. In a prompt it may be left out: the input follows after a blank line.
In a command it puts the input into an argument, which is the user's choice, since everybody on the
machine can read arguments; left out, the input goes to standard input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LONGEST_ARGUMENT", "CommandTemplate", "PromptTemplate"]

_INPUT = "{}"

LONGEST_ARGUMENT = 128 * 1024 - 1
"""Bytes that one argument can hold: MAX_ARG_STRLEN of linux/binfmts.h without the final NUL."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A prompt around an input; an empty one is the input alone."""

    text: str = ""

    def fill(self, given: str) -> str:
        """The whole prompt."""
        if not self.text:
            return given
        if _INPUT in self.text:
            return self.text.replace(_INPUT, given)
        return f"{self.text}\n\n{given}"


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """A program and its arguments around an input."""

    words: Sequence[str]

    def fill(self, given: str) -> tuple[tuple[str, ...], str]:
        """The command, and what it reads on standard input.

        Raises:
            ValueError: An argument cannot hold the input.
        """
        if not any(_INPUT in word for word in self.words):
            return tuple(self.words), given
        if "\0" in given:
            raise ValueError(
                "holds a NUL byte, which no argument can; leave {} out of the command, and it "
                "reads the input on standard input"
            )
        command = tuple(word.replace(_INPUT, given) for word in self.words)
        longest = max(len(word.encode("utf-8", "surrogateescape")) for word in command)
        if longest > LONGEST_ARGUMENT:
            raise ValueError(
                f"makes an argument of {longest:,} bytes, and {LONGEST_ARGUMENT:,} are the most; "
                "leave {} out of the command, and it reads the input on standard input"
            )
        return command, ""
