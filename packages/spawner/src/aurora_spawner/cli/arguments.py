"""The three parts of a command line: options and template, a command, inputs; pure.

    aurora-spawn [OPTIONS] [TEMPLATE] [-- COMMAND ...] [::: INPUT ...]

The two marks are found before any option is looked at, so that commands and inputs may begin with
a dash.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Arguments", "resuming", "split_arguments"]

_COMMAND = "--"
_INPUTS = ":::"
_KEEPING = re.compile("^--(?:journal|resume|resume-failed)(?=$|=)")


@dataclass(frozen=True, slots=True)
class Arguments:
    """A command line in parts.

    Attributes:
        options: Options and the words of a prompt template.
        command: What follows `--`; None without one.
        inputs: What follows `:::`; None without one.
    """

    options: tuple[str, ...]
    command: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None

    def joined(self) -> str:
        """The command line as a shell would read it."""
        words = ["aurora-spawn", *self.options]
        if self.command is not None:
            words += [_COMMAND, *self.command]
        if self.inputs is not None:
            words += [_INPUTS, *self.inputs]
        return shlex.join(words)


def split_arguments(words: Sequence[str]) -> Arguments:
    """Split a command line at its marks; the program's own name is no part of it."""
    before, inputs = _cut(words, _INPUTS)
    options, command = _cut(before, _COMMAND)
    return Arguments(options, command, inputs)


def _cut(words: Sequence[str], mark: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    if mark not in words:
        return tuple(words), None
    place = words.index(mark)
    return tuple(words[:place]), tuple(words[place + 1 :])


def resuming(arguments: Arguments, *, failed: bool) -> str:
    """The command line that goes on with the run of `arguments`, which has a journal.

    Args:
        arguments: The run's own.
        failed: Run again what has failed as well.
    """
    resume = "--resume-failed" if failed else "--resume"
    options = tuple(_KEEPING.sub(resume, option) for option in arguments.options)
    return Arguments(options, arguments.command, arguments.inputs).joined()
