"""A cluster of this machine alone, for those who name none."""

from __future__ import annotations

import logging
import os

from distributed import LocalCluster

from aurora_spawner.runners.dask import apart
from aurora_spawner.runners.dask.register import SLOT

__all__ = ["local_cluster"]


async def local_cluster(workers: int, slots: int | None) -> LocalCluster:
    """Start a scheduler in this process and workers beside it; they listen on loopback only.

    Args:
        workers: How many.
        slots: Agents at once on each; None: as many as there are processors.
    """
    at_once = slots or os.cpu_count() or 1
    return await LocalCluster(
        n_workers=workers,
        # Agents are processes, so that a thread is only a number here.
        threads_per_worker=at_once,
        resources={SLOT: at_once},
        host="127.0.0.1",
        # No dashboard. Its server is started all the same, by default on a port that a second
        # cluster finds taken.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        # A worker only looks on while agents work: its own memory says nothing about theirs.
        memory_limit=0,
        preload=[apart.__name__],
        silence_logs=logging.ERROR,
        asynchronous=True,
    )
