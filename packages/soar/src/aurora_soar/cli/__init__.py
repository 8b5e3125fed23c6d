"""The command `aurora-soar`."""

from aurora_soar.cli.entry import main

__all__ = ["main"]
