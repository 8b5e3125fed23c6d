"""What the processes of a run run on: this machine, or a Dask cluster."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.streams import refuse
from aurora_soar.runs import RunRequest
from aurora_spawner import ClusterError, InvalidTaskError, Runner, chosen_runner

__all__ = ["Where", "runner_or_exit"]

Where: TypeAlias = AbstractAsyncContextManager[Runner | None]
"""Opens what attempts run on, within an event loop; None is this machine."""


def runner_or_exit(prepared: Prepared, request: RunRequest) -> Where:
    """What was asked for, not opened yet; ends here if that cannot be."""
    try:
        return chosen_runner(
            request.runner,
            request.scheduler,
            trust_network=request.trust_network,
            slots=prepared.plan.limits.max_concurrent,
            package="aurora-soar",
        )
    except (ClusterError, InvalidTaskError) as error:
        refuse(str(error))
