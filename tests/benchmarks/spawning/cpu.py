"""What it costs the parent to run one short process."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator, Mapping

from spawning.harness import Contestant, Cost, Figures, Row, Verdict, metered
from spawning.native import COMPILER, compiled
from spawning.peers import ASYNCIO, OURS, Runner, peers

__all__ = ["ROW"]

PROMPT = b"Say nothing."
COMMAND = ("/bin/true",)
FLOOR = "C floor"
CPU, WALL = "CPU µs", "wall µs"

ROW = Row(
    "cpu: parent's CPU per process; 1,000 instant children, 8 at once",
    columns=(CPU, WALL),
    baseline=FLOOR,
    sizes={"count": 1000, "at_once": 8},
    quick={"count": 200},
    rounds=5,
)


def job(runner: Runner, count: int, at_once: int) -> Figures:
    """Run them all; what is imported or set up once is not measured."""
    runner([COMMAND] * at_once, at_once, PROMPT)
    with metered() as cost:
        runner([COMMAND] * count, at_once, PROMPT)
        spent = cost()
    return _each(spent, count)


def _each(cost: Cost, count: int) -> Figures:
    return {CPU: cost.cpu / count * 1e6, WALL: cost.wall / count * 1e6}


def in_c(count: int, at_once: int) -> Figures:
    """The C loop, which measures itself."""
    program = compiled("floor")
    assert program is not None
    said = subprocess.run(
        [program, str(count), str(at_once), PROMPT, *COMMAND], check=True, capture_output=True
    ).stdout
    return _each(Cost(**json.loads(said)), count)


def with_parallel(count: int, at_once: int) -> Figures:
    """GNU parallel, without a prompt; its CPU is that of its whole tree."""
    numbers = "\n".join(map(str, range(count))).encode()
    with metered() as cost:
        command = ["parallel", f"-j{at_once}", "-N0", "--no-notice", *COMMAND]
        subprocess.run(command, input=numbers, check=True, capture_output=True)
        wall = cost().wall
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _each(Cost(used.ru_utime + used.ru_stime, wall), count)


ROW.add(
    Contestant(FLOOR, in_c, programs=(COMPILER,)),
    *peers(job),
    Contestant("GNU parallel (whole tree)", with_parallel, programs=("parallel",)),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At most 3.0 times the floor, 2.3 times less than asyncio, and no slower than it."""
    ours, asyncio = figures[OURS], figures[ASYNCIO]
    less = asyncio[CPU] / ours[CPU]
    yield Verdict("2.3 times less CPU than asyncio or better", f"{less:.2f}", less >= 2.3)
    slower = ours[WALL] / asyncio[WALL]
    yield Verdict("wall time no worse than asyncio's", f"{slower:.2f} x", slower <= 1.0)
    ratio = ours[CPU] / figures[FLOOR][CPU]
    yield Verdict("at most 3.0 x the C floor", f"{ratio:.2f} x", ratio <= 3.0)


ROW.judge = judge
