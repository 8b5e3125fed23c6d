"""A thousand processes that are all alive at the same moment, and a thousand that stand in line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spawning.counted import COLUMNS, MOST, STREAM, Load, contestants, measured
from spawning.harness import Figures, Row, Verdict
from spawning.peers import ASYNCIO, OURS

__all__ = ["ROW"]

LIMIT, QUICKLY = 1000, 200

ROW = Row(
    "crowd: 2,000 processes, limit 1,000; none of the first 1,000 ends before all are there",
    columns=COLUMNS,
    baseline=ASYNCIO,
    sizes={"count": 2 * LIMIT, "at_once": LIMIT},
    quick={"count": 2 * QUICKLY, "at_once": QUICKLY},
    rounds=3,
)


def job(load: Load, count: int, at_once: int) -> Figures:
    """Fill every slot before the first is free."""
    return measured(load, count, at_once).figures()


ROW.add(*contestants(job))


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """As many as the limit says, and never one more."""
    for name in (OURS, STREAM):
        most = figures[name][MOST]
        yield Verdict(f"limit reached and held ({name})", f"{most:,.0f}", most in (LIMIT, QUICKLY))


ROW.judge = judge
