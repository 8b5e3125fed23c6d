"""What a running process takes up in its parent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

from spawning import sampling
from spawning.harness import Figures, Row, Verdict
from spawning.peers import ASYNCIO, OURS, Runner, peers

__all__ = ["ROW"]

PROMPT = b"Sleep."
MEMORY, DESCRIPTORS, THREADS = "kB each", "descriptors each", "threads each"

ROW = Row(
    "memory: per running child in the parent; 500 sleeping",
    columns=(MEMORY, DESCRIPTORS, THREADS),
    baseline=ASYNCIO,
    sizes={"count": 500},
    quick={"count": 100},
    rounds=3,
)


def job(runner: Runner, count: int) -> Figures:
    """Start them all, look, and end them."""
    setrlimit(RLIMIT_NOFILE, (getrlimit(RLIMIT_NOFILE)[1],) * 2)
    with ThreadPoolExecutor(1) as observer:
        observer.submit(sampling.await_children, 0).result()
        # What is imported or set up once is there before the first look.
        runner([("/bin/true",)] * 2, 2, PROMPT)
        before = _look()
        seen = observer.submit(_watch, count)
        runner([("/bin/sleep", "60")] * count, count, PROMPT)
        after = seen.result()
    return {
        MEMORY: (after[0] - before[0]) / count / 1000,
        DESCRIPTORS: (after[1] - before[1]) / count,
        THREADS: (after[2] - before[2]) / count,
    }


def _look() -> tuple[int, int, int]:
    return sampling.resident(), sampling.descriptors(), sampling.threads()


def _watch(count: int) -> tuple[int, int, int]:
    sampling.await_children(count)
    try:
        return _look()
    finally:
        sampling.kill_children()


ROW.add(*peers(job))


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At most 8 kB, no thread, three descriptors."""
    ours = figures[OURS]
    yield Verdict("at most 8 kB", f"{ours[MEMORY]:.1f} kB", ours[MEMORY] <= 8.0)
    # The event loop has two or three of its own.
    three = ours[DESCRIPTORS] < 3.1
    yield Verdict("3 descriptors", f"{ours[DESCRIPTORS]:.2f}", three)
    yield Verdict("no thread", f"{ours[THREADS]:.2f}", ours[THREADS] < 0.1)


ROW.judge = judge
