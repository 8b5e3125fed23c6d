"""Which subgoals of a run work in git worktrees, and those worktrees by position."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import typer

from aurora_soar.agents import AgentInfo
from aurora_soar.cli.places import HOME
from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.streams import complain
from aurora_soar.graph import ancestors
from aurora_soar.isolation import (
    IsolationError,
    Reason,
    Worktrees,
    isolated,
    overlapping,
    repository_root,
)
from aurora_soar.phases import permissions_of
from aurora_soar.runs import RunFolder, RunRequest
from aurora_soar.workplaces import Changes, OneForAll, Place, Workplaces, where_we_stand
from aurora_spawner import ExitCode, SpawnTask, safe_line

__all__ = ["Isolated", "places_or_exit", "worktrees_told"]

# Tools whose agents touch no file of ours, or are programs.
_CANNOT_EDIT = ("command", "extract", "llm")

# Subgoals that are named as the reason for a worktree; others are counted.
_NAMED = 3


class Isolated:
    """The places of a run in which some subgoals have worktrees; see `Workplaces`.

    Args:
        worktrees: The worktrees of the run.
        names: What each subgoal is called among files, by position.
        needs: For each subgoal the positions that it waits for.
        chosen: The positions of those that work in worktrees.
    """

    def __init__(
        self,
        worktrees: Worktrees,
        names: Sequence[str],
        needs: Sequence[Collection[int]],
        chosen: Collection[int],
    ) -> None:
        self._worktrees = worktrees
        self._names = names
        self._chosen = chosen
        # Whoever stands before another one in the plan's order is merged first.
        self._builds_on = [[names[each] for each in sorted(some)] for some in ancestors(needs)]

    def place(self, position: int) -> Place:
        """See `Workplaces`."""
        if position not in self._chosen:
            return where_we_stand
        name, builds_on = self._names[position], self._builds_on[position]

        def place(task: SpawnTask) -> AbstractAsyncContextManager[SpawnTask]:
            return self._worktrees.placed(task, name, builds_on)

        return place

    def changes(self, position: int) -> Changes | None:
        """See `Workplaces`."""
        return self._worktrees.changes.get(self._names[position])

    def refuse(self, position: int) -> None:
        """See `Workplaces`."""
        self._worktrees.refuse(self._names[position])


def places_or_exit(
    prepared: Prepared, request: RunRequest, folder: RunFolder, *, quiet: bool
) -> Workplaces:
    """Where the attempts of a run work, said aloud; ends here if that cannot be.

    Args:
        prepared: The plan, and who answers for it.
        request: What was asked for.
        folder: The folder of the run.
        quiet: Say it only if it is not as it should be.
    """
    try:
        places, told = asyncio.run(_places_of(prepared, request, folder))
    except IsolationError as error:
        complain(f"aurora-soar: {error}")
        raise typer.Exit(ExitCode.USAGE) from None
    if told is not None and not (quiet and isinstance(places, Isolated)):
        complain(told)
    return places


async def _places_of(
    prepared: Prepared, request: RunRequest, folder: RunFolder
) -> tuple[Isolated | OneForAll, str | None]:
    """Where the attempts of a run work, and what people should know of it.

    Raises:
        IsolationError: Worktrees are asked for, and there can be none.
    """
    chosen = _reasons(prepared, request)
    here = Path.cwd()
    asked_for = {position for position in chosen if _wish(prepared, position) == "worktree"}
    if not chosen or (not asked_for and repository_root(here) is None):
        return OneForAll(), None
    try:
        worktrees = await Worktrees.begin(here, HOME, folder.id)
        names = [folder.name(position) for position in range(len(prepared.plan.subgoals))]
        await worktrees.remember(names)
    except IsolationError as error:
        if asked_for:
            raise
        return OneForAll(), f"agents that may write share this folder: {error}"
    return Isolated(worktrees, names, _needs(prepared), chosen), worktrees.told()


def worktrees_told(prepared: Prepared, request: RunRequest) -> list[tuple[str, str]]:
    """Which subgoals would work in worktrees, by their ids, and why; what there can be none for.

    Args:
        prepared: The plan, and who answers for it.
        request: What was asked for.
    """
    reasons = _reasons(prepared, request)
    ids = [safe_line(subgoal.id) for subgoal in prepared.plan.subgoals]
    missing = "" if repository_root(Path.cwd()) is not None else "; but this is no git repository"
    return [
        (ids[position], f"{_told(reason, ids)}{missing}") for position, reason in reasons.items()
    ]


def _told(reason: Reason, ids: Sequence[str]) -> str:
    named = ", ".join(ids[other] for other in reason.others[:_NAMED])
    if len(reason.others) > _NAMED:
        named += f" and {len(reason.others) - _NAMED} more"
    match reason.kind:
        case "asked for":
            return "isolation is asked for"
        case "builds on":
            return f"builds on {named}"
        case "overlap" if named:
            return f"may write at the same time as {named}"
        case "overlap":
            return "may write, and others that may can be at work at the same time"


def _reasons(prepared: Prepared, request: RunRequest) -> dict[int, Reason]:
    """The subgoals that work in worktrees, if there can be some, and why."""
    needs = _needs(prepared)
    positions = range(len(needs))
    writers = {position for position in positions if _may_write(prepared, request, position)}
    limits: dict[Hashable, int] = {
        ("tool", name): places for name, places in prepared.plan.limits.per_tool.items()
    }
    shares: list[list[Hashable]] = []
    for each in prepared.answerers:
        shares.append([("tool", each.tool), ("agent", each.agent.id)])
        if (places := each.agent.config.get("max_concurrent")) is not None:
            limits["agent", each.agent.id] = places
    overlap = overlapping(
        needs,
        writers,
        max_concurrent=prepared.plan.limits.max_concurrent,
        shares=shares,
        limits=limits,
    )
    wishes = [_wish(prepared, position) for position in positions]
    return isolated(needs, wishes, writers, overlap=overlap)


def _needs(prepared: Prepared) -> list[tuple[int, ...]]:
    places = {subgoal.id: place for place, subgoal in enumerate(prepared.plan.subgoals)}
    return [
        tuple(places[needed] for needed in subgoal.depends_on) for subgoal in prepared.plan.subgoals
    ]


def _wish(prepared: Prepared, position: int) -> Any:
    config = prepared.agents[position].config
    return config.get("isolation", prepared.plan.defaults.isolation)


def _may_write(prepared: Prepared, request: RunRequest, position: int) -> bool:
    """Whether the agent of a subgoal, or one that may be asked in its place, can change files."""
    registry, agent = prepared.registry, prepared.answerers[position].agent
    tool = prepared.answerers[position].tool
    seen: list[AgentInfo] = []
    while agent not in seen:
        seen.append(agent)
        found = registry.get(str(agent.config.get("fallback")))
        agent = found or agent
    return any(
        permissions_of(each.config, request.permissions) != "read-only"
        and _edits(each.config, tool)
        for each in seen
    )


def _edits(config: Mapping[str, Any], tool: str | None) -> bool:
    """Whether such an agent is one that edits; what a program does is the user's own affair."""
    named = config.get("tool") or ("command" if config.get("command") else tool)
    return named not in {None, *_CANNOT_EDIT}
