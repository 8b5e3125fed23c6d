"""Where the attempts of a run work: in one folder, or each in its own; what that makes possible."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aurora_spawner import SpawnTask

__all__ = ["Changes", "NoPlaceError", "OneForAll", "Place", "Workplaces", "where_we_stand"]


class NoPlaceError(Exception):
    """There is no place to work in; the message says why, and what to do. No agent's fault."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What one attempt of an agent changed in its worktree.

    Attributes:
        branch: The git branch that holds it.
        base: The commit that the agent began with.
        commit: The last commit of the branch.
        files: The files that differ, as paths in the repository.
        diffstat: One line for each file and one for all, as `git diff --stat` writes them.
        diff: The difference as a patch, cut after 64 Ki characters.
        path: The worktree; None once it is gone.
    """

    branch: str
    base: str
    commit: str
    files: tuple[str, ...]
    diffstat: str
    diff: str
    path: str | None = None


Place: TypeAlias = Callable[[SpawnTask], AbstractAsyncContextManager[SpawnTask]]
"""Where an attempt works: gives the task with its folder, and clears up after it. What it raises
before the attempt is `NoPlaceError`."""


class Workplaces(Protocol):
    """The places of a run, by the positions of its assignments."""

    def place(self, position: int) -> Place:
        """The place of each attempt."""

    def changes(self, position: int) -> Changes | None:
        """What the last attempt there changed; None: nothing, or nobody knows."""

    def refuse(self, position: int) -> None:
        """It did not succeed: nobody is to build on what it changed."""


class OneForAll:
    """The places of those who share the folder where we stand."""

    def place(self, position: int) -> Place:
        """See `Workplaces`."""
        return where_we_stand

    def changes(self, position: int) -> Changes | None:
        """See `Workplaces`."""
        return None

    def refuse(self, position: int) -> None:
        """See `Workplaces`."""


@asynccontextmanager
async def where_we_stand(task: SpawnTask) -> AsyncIterator[SpawnTask]:
    """The task as it is."""
    yield task
