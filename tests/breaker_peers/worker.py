"""A process with a circuit in Redis, which does what it is told, one line at a time.

    python worker.py LIBRARY URL THRESHOLD RESET

`call` answers `running` or `refused`. A running call goes on until it is told `ok` or `fail`; then
it ends, and `done` follows when the server knows. A process killed in between is a dead holder.
"""

import sys
from contextlib import suppress

from shared import SHARED


def main(library: str, url: str, threshold: int, reset: float) -> None:
    """Obey until the commands end."""
    circuit = SHARED[library](url, threshold, reset)
    begun = False

    def work() -> None:
        nonlocal begun
        begun = True
        print("running", flush=True)
        if sys.stdin.readline().strip() != "ok":
            raise RuntimeError

    print("ready", flush=True)
    while sys.stdin.readline().strip() == "call":
        begun = False
        # Some refuse in place of the last failure, so what counts is whether the work began.
        with suppress(RuntimeError, circuit.refused):
            circuit.call(work)
        circuit.flush()
        print("done" if begun else "refused", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
