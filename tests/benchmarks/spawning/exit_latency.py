"""How long after a process has ended its result is there."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping

from spawning.harness import Figures, Row, Verdict
from spawning.native import compiled
from spawning.peers import ASYNCIO, OURS, Command, Runner, peers

__all__ = ["ROW"]

MEDIAN, LATE = "median µs", "95 % µs"

# Milliseconds that the child sleeps, so that its parent is at rest when it ends.
REST = 5

ROW = Row(
    "exit: from a process's last act to its result, one at a time",
    columns=(MEDIAN, LATE),
    baseline=ASYNCIO,
    sizes={"count": 300},
    quick={"count": 100},
    rounds=5,
)

IN_PYTHON = f"""
import os, time
time.sleep({REST / 1000})
os.write(1, str(time.monotonic_ns()).encode())
os._exit(0)
"""


def stamp() -> Command:
    """A process that writes the time and exits: in C, or else in Python, which ends slower."""
    program = compiled("stamp")
    if program is None:
        return (sys.executable, "-I", "-S", "-c", IN_PYTHON)
    return (program, "exit", str(REST))


def job(runner: Runner, count: int) -> Figures:
    """Run one after the other."""
    command = stamp()
    runner([command] * 5, 1, b"Exit.")
    ended = runner([command] * count, 1, b"Exit.")
    late = sorted((each.ended - int(each.output)) / 1e3 for each in ended)
    return {MEDIAN: statistics.median(late), LATE: late[int(0.95 * len(late))]}


ROW.add(*peers(job))


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Sooner than asyncio."""
    ours, asyncio = figures[OURS][MEDIAN], figures[ASYNCIO][MEDIAN]
    yield Verdict("below asyncio", f"{ours:.0f} µs to {asyncio:.0f} µs", ours < asyncio)


ROW.judge = judge
