"""What the processes of a run run on: this machine, or a Dask cluster."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeAlias

from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.streams import refuse
from aurora_soar.runs import RunRequest
from aurora_spawner import InvalidTaskError, Runner

__all__ = ["Where", "runner_or_exit"]

Where: TypeAlias = AbstractAsyncContextManager[Runner | None]
"""Opens what attempts run on, within an event loop; None is this machine."""


def runner_or_exit(prepared: Prepared, request: RunRequest) -> Where:
    """What was asked for, not opened yet; ends here if that cannot be."""
    if request.runner == "local":
        if request.scheduler is not None:
            refuse("--scheduler is for --runner dask")
        return nullcontext()
    try:
        from aurora_spawner.runners.dask import DaskRunner
    except ImportError as error:
        refuse(f"--runner dask needs: pip install 'aurora-soar[dask]' ({error})")
    try:
        return DaskRunner(
            request.scheduler,
            trust_network=request.trust_network,
            slots=prepared.plan.limits.max_concurrent,
        )
    except InvalidTaskError as error:
        refuse(str(error))
