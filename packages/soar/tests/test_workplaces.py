"""Collect and the places where attempts work, with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import AgentInfo, CollectResult, execute_agents
from aurora_soar.workplaces import Changes, NoPlaceError, Place
from aurora_spawner import SpawnTask

DONE = Changes("branch", "base", "commit", ("a.txt",), "", "")


class Folders:
    """A folder for each attempt; there is none for the subgoals in `nowhere`."""

    def __init__(self, home: Path, nowhere: tuple[int, ...] = ()) -> None:
        self.home = home
        self.nowhere = nowhere
        self.given = 0
        self.refused: list[int] = []

    def place(self, position: int) -> Place:
        def place(task: SpawnTask) -> AbstractAsyncContextManager[SpawnTask]:
            return self._entered(task, position)

        return place

    @asynccontextmanager
    async def _entered(self, task: SpawnTask, position: int) -> AsyncIterator[SpawnTask]:
        if position in self.nowhere:
            raise NoPlaceError("no room: make some")
        self.given += 1
        folder = self.home / str(self.given)
        folder.mkdir()
        yield replace(task, cwd=str(folder))

    def changes(self, position: int) -> Changes | None:
        return DONE if position == 0 else None

    def refuse(self, position: int) -> None:
        self.refused.append(position)


def run(places: Folders, *scripts: str, **subgoal: Any) -> tuple[CollectResult, CircuitBreaker]:
    breaker = CircuitBreaker(failure_threshold=1)
    agents = [
        AgentInfo(f"w{n}", config={"command": ["sh", "-c", each]}) for n, each in enumerate(scripts)
    ]
    subgoals = [{"id": agent.id, "description": "Do it.", **subgoal} for agent in agents]
    result = asyncio.run(
        execute_agents(
            list(enumerate(agents)), subgoals, breaker=breaker, places=places, global_timeout=60.0
        )
    )
    return result, breaker


def test_every_attempt_and_its_check_work_in_a_place_of_their_own(tmp_path: Path) -> None:
    """A retry gets another folder, the check runs in it, and the output has the changes."""
    places = Folders(tmp_path)
    check = ["sh", "-c", "test -e made && test $(basename $(pwd)) = 2"]
    result, _ = run(places, "touch made; pwd", check=check, retries=1)
    (output,) = result.agent_outputs
    assert output.success
    assert output.output == f"{tmp_path / '2'}\n"
    assert output.changes is DONE
    assert places.refused == []


def test_whoever_has_no_place_fails_and_is_not_to_blame(tmp_path: Path) -> None:
    """No place is a failure that says why, counts for no circuit, and is told to the places."""
    places = Folders(tmp_path, nowhere=(1,))
    result, breaker = run(places, "echo well", "echo never", retries=0)
    first, second = result.agent_outputs
    assert (first.success, second.success) == (True, False)
    assert second.error == "no room: make some"
    assert not breaker.is_open("w1")
    assert places.refused == [1]
