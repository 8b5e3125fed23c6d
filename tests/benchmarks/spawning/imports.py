"""What it costs to import us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial

from spawning.harness import Contestant, Figures, Row, Verdict
from spawning.peers import OURS

__all__ = ["ROW"]

TIME = "ms"
BASE = "import asyncio"

ROW = Row(
    "import: time of `import aurora_spawner` in a fresh interpreter",
    columns=(TIME,),
    baseline=BASE,
    rounds=20,
)


def job(module: str) -> Figures:
    """Import a module in an interpreter that has imported nothing yet."""
    program = (
        "import time; started = time.perf_counter(); "
        f"import {module}; print(time.perf_counter() - started)"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    return {TIME: float(said) * 1e3}


ROW.add(
    Contestant(BASE, partial(job, "asyncio")),
    Contestant("import trio", partial(job, "trio"), modules=("trio",)),
    Contestant("import anyio", partial(job, "anyio"), modules=("anyio",)),
    Contestant("import aiometer", partial(job, "aiometer"), modules=("aiometer",)),
    Contestant(OURS, partial(job, "aurora_spawner"), modules=("aurora_spawner",)),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """Under 40 ms more than asyncio."""
    more = figures[OURS][TIME] - figures[BASE][TIME]
    yield Verdict("under 40 ms more than `import asyncio`", f"{more:.1f} ms more", more < 40.0)


ROW.judge = judge
