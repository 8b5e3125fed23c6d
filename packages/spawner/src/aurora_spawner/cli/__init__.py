"""The command `aurora-spawn`."""

from aurora_spawner.cli.entry import main

__all__ = ["main"]
