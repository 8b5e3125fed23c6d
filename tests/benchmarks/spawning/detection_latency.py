"""How long after a hopeless error its agent is gone and the result is there."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from spawning.harness import Contestant, Figures, Row, Verdict
from spawning.native import COMPILER, compiled
from spawning.peers import OURS

__all__ = ["ROW"]

BY_HAND = "asyncio, readline and kill"
MEDIAN, LATE = "median ms", "95 % ms"
ERROR = b"Invalid API key"

ROW = Row(
    "detection: from a terminal error on stderr to the agent's end and its result",
    columns=(MEDIAN, LATE),
    baseline=BY_HAND,
    sizes={"count": 100},
    quick={"count": 20},
    rounds=3,
)


def _agent() -> Path:
    """A program called `claude` that writes the error with the time, and then hangs."""
    program = compiled("stamp")
    assert program is not None
    agent = Path(program).with_name("agents") / "claude"
    agent.parent.mkdir(exist_ok=True)
    if not agent.exists():
        agent.symlink_to(program)
    return agent


def _figures(late: list[float]) -> Figures:
    return {MEDIAN: statistics.median(late), LATE: sorted(late)[int(0.95 * len(late))]}


def ours(count: int) -> Figures:
    """Through `spawn` with the adapter for that agent."""
    from aurora_spawner import SpawnTask, spawn

    os.environ["PATH"] = f"{_agent().parent}{os.pathsep}{os.environ['PATH']}"

    async def main() -> list[float]:
        late: list[float] = []
        for _ in range(count):
            result = await spawn(SpawnTask("Say something.", tool="claude"))
            now = time.monotonic_ns()
            assert result.termination_reason, result
            late.append((now - int(result.stderr.split()[-1])) / 1e6)
        return late

    return _figures(asyncio.run(main()))


def by_hand(count: int) -> Figures:
    """As one would write it with asyncio: no escalation, no group, no bound on a line."""

    async def main() -> list[float]:
        late: list[float] = []
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(_agent(), stderr=asyncio.subprocess.PIPE)
            assert process.stderr is not None
            async for line in process.stderr:
                if ERROR in line:
                    process.kill()
                    await process.wait()
                    late.append((time.monotonic_ns() - int(line.split()[-1])) / 1e6)
        return late

    return _figures(asyncio.run(main()))


ROW.add(
    Contestant(BY_HAND, by_hand, programs=(COMPILER,)),
    Contestant(OURS, ours, modules=("aurora_spawner",), programs=(COMPILER,)),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Under 10 ms."""
    median = figures[OURS][MEDIAN]
    yield Verdict("under 10 ms", f"{median:.2f} ms", median < 10.0)


ROW.judge = judge
