"""How fast much output is read, and how much memory that takes."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from spawning.harness import WORKSHOP, Contestant, Cost, Figures, Row, Verdict, metered
from spawning.peers import ASYNCIO, OURS, Runner, aurora, peers
from spawning.sampling import growth

__all__ = ["ROW"]

LINE = b"2024-03-01 12:00:00 INFO worker 17 rewrote src/auth/tokens.py, 214 lines, 3 checks\n"
SPEED, CPU, GROWTH = "MB/s", "CPU ms", "peak MB"
FOUR_TIMES = f"{OURS}, 256 MB"

# Peak memory may differ by this much between runs, MB.
NOISE = 4.0

ROW = Row(
    "throughput: 64 MB of output from one process",
    columns=(SPEED, CPU, GROWTH),
    baseline=ASYNCIO,
    sizes={"megabytes": 64},
    rounds=5,
)


def _file(megabytes: int) -> str:
    """A log file of that size."""
    folder = Path(os.environ.get(WORKSHOP) or tempfile.gettempdir())
    path = folder / f"log-{megabytes}"
    size = megabytes * 1_000_000
    if not path.exists():
        with path.open("wb") as file:
            for _ in range(size // (len(LINE) * 1000) + 1):
                file.write(LINE * 1000)
            file.truncate(size)
    return str(path)


def _figures(megabytes: int, cost: Cost, grown: int) -> Figures:
    return {SPEED: megabytes / cost.wall, CPU: cost.cpu * 1e3, GROWTH: grown / 1e6}


def job(runner: Runner, megabytes: int) -> Figures:
    """Read it all in one go."""
    path = _file(megabytes)
    runner([("/bin/true",)], 1, b"Log.")
    with growth() as grown, metered() as cost:
        runner([("/bin/cat", path)], 1, b"Log.")
        return _figures(megabytes, cost(), grown())


def taken(runner: Runner, megabytes: int) -> Figures:
    """Only the memory that it takes: nobody else reads as much, to hold the speed against."""
    return {GROWTH: job(runner, megabytes)[GROWTH]}


def by_line(megabytes: int) -> Figures:
    """Asyncio's `readline`, as one does to look for errors."""
    path = _file(megabytes)

    async def main() -> Figures:
        with growth() as grown, metered() as cost:
            process = await asyncio.create_subprocess_exec(
                "/bin/cat", path, stdout=asyncio.subprocess.PIPE
            )
            assert process.stdout is not None
            lines = [line async for line in process.stdout]
            await process.wait()
            figures = _figures(megabytes, cost(), grown())
        assert sum(map(len, lines)) == megabytes * 1_000_000
        return figures

    return asyncio.run(main())


ROW.add(
    *peers(job),
    Contestant("asyncio, readline", by_line),
    Contestant(
        FOUR_TIMES,
        partial(taken, aurora),
        modules=("aurora_spawner",),
        sizes={"megabytes": 256},
    ),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At least 300 MB/s; four times the output takes no more memory."""
    speed = figures[OURS][SPEED]
    yield Verdict("at least 300 MB/s", f"{speed:.0f} MB/s", speed >= 300.0)
    small, large = figures[OURS][GROWTH], figures[FOUR_TIMES][GROWTH]
    yield Verdict(
        "memory bounded by the policy, not by the output",
        f"{small:.0f} MB for 64 MB, {large:.0f} MB for 256 MB",
        large <= small + NOISE,
    )


ROW.judge = judge
