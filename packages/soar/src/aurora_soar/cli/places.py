"""Where the command keeps things of the project that it stands in."""

from __future__ import annotations

from pathlib import Path

__all__ = ["HOME"]

HOME = Path(".aurora")
"""The folder of runs, in the current folder."""
