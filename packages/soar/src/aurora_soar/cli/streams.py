"""What every command does with its two streams: data to one, complaints to the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from aurora_spawner import ClusterError, ExitCode, JournalError, output_lost, safe_line

__all__ = ["complain", "outputs", "refuse"]


@contextmanager
def outputs() -> Iterator[None]:
    """End with the right code where an output, a journal or a cluster cannot be used."""
    try:
        yield
    except (ClusterError, JournalError) as error:
        complain(f"aurora-soar: {error}")
        raise typer.Exit(ExitCode.USAGE) from None
    except OSError as error:
        raise typer.Exit(output_lost("aurora-soar", error)) from None


def complain(text: str) -> None:
    """Say one line on standard error; untrusted parts of it are made safe."""
    print(safe_line(text), file=sys.stderr)


def refuse(text: str) -> NoReturn:
    """End the command: it cannot do what it was asked for, and this is why."""
    complain(f"aurora-soar: {text}")
    raise typer.Exit(ExitCode.USAGE)
