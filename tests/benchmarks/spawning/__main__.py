"""Measure one contestant of one row once, in this process: `python -m spawning ROW NAME QUICK`."""

import json
import sys
from importlib import import_module


def main() -> None:
    """Print the figures as the last line."""
    key, name, quick = sys.argv[1:]
    row = import_module(f"spawning.{key}").ROW
    print(json.dumps(row.run_one(name, quick=quick == "1")))


if __name__ == "__main__":
    main()
