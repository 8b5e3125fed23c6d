"""Loaded by the workers of a cluster of this machine: a terminal's Ctrl-C is not for them.

It asks the program to stop, which then decides what becomes of its agents; workers that ended by
themselves would take them along.
"""

from __future__ import annotations

import os

from distributed import Worker

__all__ = ["dask_setup"]


def dask_setup(worker: Worker) -> None:
    """Leave the job of the terminal; Dask calls this when the worker starts."""
    os.setpgid(0, 0)
