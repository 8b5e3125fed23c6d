"""A client in a process of its own, for tests that kill it or have it stand still.

    python client.py ADDRESS COUNT AT_ONCE COMMAND...

runs the command COUNT times, on this machine if the address is empty, with the numbers from 0 as
prompts, and writes each one's output and error as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import MappingProxyType

from aurora_spawner import SpawnTask, spawn_parallel
from aurora_spawner.runners import LocalRunner, Runner


def runner_at(address: str | None) -> AbstractAsyncContextManager[Runner]:
    """The runner of the cluster with that scheduler; without one that of this machine."""
    if not address:
        return nullcontext(LocalRunner())
    from aurora_spawner.runners.dask import DaskRunner

    # The networks are the tests' own.
    return DaskRunner(address, trust_network=True)


def start_client(
    address: str | None,
    count: int,
    at_once: int,
    command: Sequence[str],
    *,
    inside: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start such a client, by way of the command `inside`, with further variables."""
    call = (__file__, address or "", str(count), str(at_once), *command)
    return subprocess.Popen(
        [*inside, sys.executable, *call],
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )


async def _main(address: str, count: int, at_once: int, command: tuple[str, ...]) -> None:
    async with runner_at(address) as runner:
        tasks = [SpawnTask(str(number), command=command) for number in range(count)]
        results = await spawn_parallel(tasks, at_once, runner=runner)
    print(json.dumps([(result.output, result.error) for result in results]))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), tuple(sys.argv[4:])))
