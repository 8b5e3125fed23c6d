"""The command `aurora-soar`."""

from aurora_soar.cli.app import main

__all__ = ["main"]
