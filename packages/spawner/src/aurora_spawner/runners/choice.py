"""The runner that the options of a command stand for."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Literal, TypeAlias

from aurora_spawner.errors import ClusterError
from aurora_spawner.runners.port import Runner

__all__ = ["RunnerName", "chosen_runner"]

RunnerName: TypeAlias = Literal["local", "dask"]
"""Where agents run: on this machine, or on a Dask cluster."""


def chosen_runner(
    name: RunnerName,
    scheduler: str | None = None,
    *,
    trust_network: bool = False,
    slots: int,
    package: str = "aurora-spawner",
) -> AbstractAsyncContextManager[Runner | None]:
    """What `--runner`, `--scheduler` and `--trust-network` ask for, not opened yet.

    Args:
        name: The runner.
        scheduler: The address of a cluster's scheduler; None: a cluster of this machine alone.
        trust_network: See `DaskRunner`.
        slots: Agents at once on a cluster of this machine.
        package: Whose extra brings Dask.

    Returns:
        To be opened within an event loop; None is this machine.

    Raises:
        ClusterError: The options contradict each other, or Dask is not installed.
        InvalidTaskError: The address cannot be used, or not without encryption.
    """
    if name == "local":
        if scheduler is not None:
            raise ClusterError("--scheduler", "is for --runner dask", "name both, or neither")
        return nullcontext()
    try:
        from aurora_spawner.runners.dask import DaskRunner
    except ImportError as error:
        raise ClusterError(
            "--runner dask", f"needs Dask ({error})", f"try: pip install '{package}[dask]'"
        ) from None
    return DaskRunner(scheduler, trust_network=trust_network, slots=slots)
