"""Says which machine this is, but only when it is asked twice: the first attempt of each run fails.

A stand-in for whatever fails now and then, a network above all, to show what a retry looks like.
"""

import os
import platform
import sys
from pathlib import Path


def main() -> None:
    """Fail, or answer, in turn."""
    # Whoever started us runs the plan: each run has its own mark.
    mark = Path(".aurora", f"asked-by-{os.getppid()}")
    if not mark.exists():
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        sys.exit("not at the first attempt")
    mark.unlink()
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")


if __name__ == "__main__":
    main()
