"""The settings that hold for a command, told where something was said in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from aurora_soar.cli.streams import complain
from aurora_soar.cli.trusting import standing_here
from aurora_soar.config import ConfigError, Configuration, resolve
from aurora_spawner import ExitCode

__all__ = ["configured_or_exit"]


def configured_or_exit(**flags: Any) -> Configuration:
    """The settings, with these flags over everything else; ends here if some cannot be used.

    Args:
        flags: By the names of the settings; None where none was given.
    """
    try:
        found = resolve(flags, here=Path.cwd(), standing_of=standing_here)
    except ConfigError as error:
        for problem in error.problems:
            complain(str(problem))
        raise typer.Exit(ExitCode.USAGE) from None
    for note in found.notes:
        complain(note)
    return found
