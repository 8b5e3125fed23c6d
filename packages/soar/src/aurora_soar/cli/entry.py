"""Where `aurora-soar` begins: Ctrl-C is answered while the rest is still being imported."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        from aurora_soar.cli.app import start

        start()
    except KeyboardInterrupt:
        # Before or after a run; during one Ctrl-C has its own meaning.
        sys.exit(130)
