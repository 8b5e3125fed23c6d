"""A program of somebody's own that runs agents with the library, and keeps what they say.

python -m tests.chaos.embedding TASKS JOURNAL JOBS
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from aurora_spawner import SpawnError, SpawnResult, SpawnTask, spawn
from aurora_spawner.journal import Journal, content_of, resumed


def _succeeded(result: SpawnResult) -> bool:
    return result.success


async def main(tasks: Path, journal: Path, jobs: int) -> None:
    """Run what the journal lacks; a line of JSON for each result, as they come."""
    slots = asyncio.Semaphore(jobs)

    async def answer(line: dict[str, Any]) -> None:
        task = SpawnTask(
            line["prompt"],
            command=tuple(line["command"]),
            timeout=line["timeout"],
            policy="fast_fail",
        )

        async def run() -> SpawnResult:
            async with slots:
                return await spawn(task)

        result = await resumed(kept, line["id"], content_of(task), run, keep=_succeeded)
        told = {"id": line["id"], "success": result.success, "output": result.output}
        print(json.dumps(told), flush=True)

    with Journal.open(journal) as kept:
        lines = tasks.read_text(encoding="utf-8").splitlines()
        await asyncio.gather(*(answer(json.loads(line)) for line in lines))


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
    except KeyboardInterrupt:
        sys.exit(130)
    except (SpawnError, OSError) as error:
        sys.exit(f"embedding: {error}")
