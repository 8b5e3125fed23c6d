"""What a task costs as there are more of them, and as more of them run at once.

The sizes of a contestant run one after the other in one process, the smaller ones first: what they
leave in the allocator is a tenth of what the next one needs.
"""

from __future__ import annotations

import gc

from spawning.counted import CPU, MEMORY, Load, contestants, measured
from spawning.harness import Figures, Row
from spawning.peers import ASYNCIO

__all__ = ["LIMIT", "LIMITS", "ROW", "TASKS", "at_once", "in_line"]

TASKS = (100, 1_000, 10_000)
LIMIT = 50
LIMITS = (1, 10, 100, 1_000)


def in_line(tasks: int, figure: str) -> str:
    """The column for so many tasks."""
    return f"{tasks:,}: {figure}"


def at_once(limit: int, figure: str) -> str:
    """The column for so many processes at once."""
    return f"limit {limit:,}: {figure}"


ROW = Row(
    f"growth: 100 to 10,000 tasks, limit {LIMIT}; 1,000 tasks, limit 1 to 1,000",
    columns=(
        *(in_line(tasks, CPU) for tasks in TASKS),
        *(in_line(tasks, MEMORY) for tasks in TASKS),
        *(at_once(limit, CPU) for limit in LIMITS),
    ),
    baseline=ASYNCIO,
    rounds=3,
    patience=300.0,
)


def job(load: Load) -> Figures:
    """Every size once."""
    found: dict[str, float] = {}
    for tasks in TASKS:
        gc.collect()
        figures = measured(load, tasks, LIMIT).figures()
        found |= {in_line(tasks, figure): figures[figure] for figure in (CPU, MEMORY)}
    for limit in LIMITS:
        figures = measured(load, 1_000, limit).figures()
        found[at_once(limit, CPU)] = figures[CPU]
    return found


ROW.add(*contestants(job))
