"""What it costs to wait for agents that think."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from spawning import sampling
from spawning.harness import Figures, Row, Verdict, metered
from spawning.peers import ASYNCIO, OURS, Runner, peers

__all__ = ["ROW"]

PROMPT = b"Think."
CPU, WAITING, WAKE_UPS = "CPU ms", "of it idle", "wake-ups idle"

ROW = Row(
    "idle: parent's CPU for 50 agents that say nothing for 10 s, start and end included",
    columns=(CPU, WAITING, WAKE_UPS),
    baseline=ASYNCIO,
    sizes={"count": 50, "seconds": 10},
    quick={"seconds": 4},
    rounds=3,
)


def job(runner: Runner, count: int, seconds: int) -> Figures:
    """Run them all; look twice while nothing happens."""
    runner([("/bin/true",)] * 2, 2, PROMPT)
    with ThreadPoolExecutor(1) as observer:
        idle = observer.submit(_watch, count, seconds - 2.0)
        with metered() as cost:
            runner([("/bin/sleep", str(seconds))] * count, count, PROMPT)
            spent = cost()
        cpu, wake_ups, watching = idle.result()
    return {CPU: (spent.cpu - watching) * 1e3, WAITING: cpu * 1e3, WAKE_UPS: wake_ups}


def _watch(count: int, seconds: float) -> tuple[float, float, float]:
    """CPU and wake-ups of the others in an idle time, and CPU that watching them cost."""
    sampling.await_children(count)
    own = time.thread_time()
    with metered() as cost:
        before = sampling.wake_ups()
        time.sleep(seconds)
        after = sampling.wake_ups()
        spent = cost()
    watching = time.thread_time() - own
    return max(0.0, spent.cpu - watching), after - before, time.thread_time()


ROW.add(*peers(job))


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """No more than bare asyncio, and no polling."""
    ours, asyncio = figures[OURS], figures[ASYNCIO]
    yield Verdict(
        "no more CPU than bare asyncio",
        f"{ours[CPU]:.0f} ms to {asyncio[CPU]:.0f} ms",
        ours[CPU] <= asyncio[CPU],
    )
    yield Verdict("no polling", f"{ours[WAKE_UPS]:.0f} wake-ups", ours[WAKE_UPS] <= 1)


ROW.judge = judge
