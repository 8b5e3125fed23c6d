"""Runs requests on this machine."""

from __future__ import annotations

from aurora_spawner.events import OnEvent
from aurora_spawner.execution import execute
from aurora_spawner.models import SpawnRequest, SpawnResult

__all__ = ["LocalRunner"]


class LocalRunner:
    """Runs each request as a process of this machine."""

    async def run(self, request: SpawnRequest, on_event: OnEvent | None) -> SpawnResult:
        """See `Runner.run`."""
        return await execute(request, on_event)
