"""Where `aurora-spawn` begins: before anything is imported that may not be installed."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        from aurora_spawner.cli.app import start
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("aurora_spawner"):
            raise
        print(
            f"aurora-spawn: {error.name} is not installed; try: pip install 'aurora-spawner[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    start(sys.argv[1:])
