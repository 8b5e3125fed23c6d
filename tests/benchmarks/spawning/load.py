"""A hundred thousand tasks in line, each a real process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spawning.counted import COLUMNS, MEMORY, MOST, STREAM, Load, contestants, measured
from spawning.harness import Figures, Row, Verdict
from spawning.peers import ASYNCIO, OURS

__all__ = ["COUNT", "ROW"]

COUNT, LIMIT = 100_000, 50

# A result with a line of output takes this much a task, bytes; a latency of the benchmark's own, 8.
RESULT = 700

# What the limit, the interpreter's arenas and the latencies take up, MB.
BOUND = 8.0

ROW = Row(
    f"load: {COUNT:,} tasks in line, limit {LIMIT}",
    columns=COLUMNS,
    baseline=ASYNCIO,
    sizes={"count": COUNT, "at_once": LIMIT},
    quick={"count": 2000},
    rounds=1,
    patience=900.0,
)


def job(load: Load, count: int, at_once: int) -> Figures:
    """Run them all."""
    return measured(load, count, at_once, gates=10).figures()


ROW.add(*contestants(job))


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """The limit held; no memory beyond the results but for the limit."""
    for name in (OURS, STREAM):
        most = figures[name][MOST]
        yield Verdict(f"limit reached and held ({name})", f"{most:,.0f}", most == LIMIT)
    memory = figures[OURS][MEMORY]
    most_of_it = BOUND + RESULT * COUNT / 1e6
    yield Verdict(
        f"memory O(limit) beyond the results ({RESULT} bytes each)",
        f"{memory:.1f} MB",
        memory <= most_of_it,
    )
    memory = figures[STREAM][MEMORY]
    yield Verdict(
        f"memory of a stream O(limit): at most {BOUND:g} MB", f"{memory:.1f} MB", memory <= BOUND
    )


ROW.judge = judge
