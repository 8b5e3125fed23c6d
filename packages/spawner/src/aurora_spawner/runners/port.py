"""The port through which a request reaches a machine."""

from __future__ import annotations

from typing import Protocol

from aurora_spawner.events import OnEvent
from aurora_spawner.models import SpawnRequest, SpawnResult

__all__ = ["Runner"]


class Runner(Protocol):
    """Runs requests somewhere: one verb."""

    async def run(self, request: SpawnRequest, on_event: OnEvent | None) -> SpawnResult:
        """Run one request to its end.

        A cancellation ends the whole process tree before it is passed on.
        """
