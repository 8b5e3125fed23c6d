"""Before anything starts: is the input right, and is everybody there who is to answer?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aurora_spawner.cli.jobs import Job, Recipe, known_tool
from aurora_spawner.cli.sources import Source
from aurora_spawner.models import SpawnTask
from aurora_spawner.tools import TOOLS, find_agent_cli, missing_agent_cli

__all__ = ["Survey", "chosen_tool", "jobs_of", "missing", "survey"]

Which: TypeAlias = Callable[[str], str | None]

# Problems that are told; nobody reads more, and the first ones are often the cause of all.
_TOLD = 20


@dataclass(slots=True)
class Survey:
    """What is known of an input before anything starts.

    Attributes:
        total: How many inputs there are; None for a stream.
        problems: What is wrong, one line each; the first ones.
        untold: How many problems there are beside those.
        tools: The tools that are needed; None stands for one that nobody found.
        programs: The programs that are needed.
    """

    total: int | None = None
    problems: list[str] = field(default_factory=list)
    untold: int = 0
    tools: set[str | None] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)

    def complain(self, problem: str) -> None:
        """Note a problem."""
        if len(self.problems) < _TOLD:
            self.problems.append(problem)
        else:
            self.untold += 1

    def needs(self, task: SpawnTask) -> None:
        """Note who is to answer."""
        if task.command is None:
            self.tools.add(task.tool)
        elif os.sep not in task.command[0]:
            self.programs.add(task.command[0])


def chosen_tool(
    named: str | None, environment: Mapping[str, str] = os.environ, which: Which = shutil.which
) -> str | None:
    """Who answers by default: the option, AURORA_SPAWN_TOOL, the first agent CLI on PATH.

    Raises:
        ValueError: The variable names no tool.
    """
    if named is not None:
        return named
    variable = environment.get("AURORA_SPAWN_TOOL")
    if not variable:
        return find_agent_cli(which)
    try:
        return known_tool(variable)
    except ValueError as error:
        raise ValueError(f"AURORA_SPAWN_TOOL: {error}") from None


def jobs_of(source: Source, recipe: Recipe) -> Iterator[Job]:
    """Everything that a source holds which is no stream."""
    for index, record in enumerate(source.scan()):
        yield recipe.job(index, record)


def survey(source: Source, recipe: Recipe) -> Survey:
    """Look at the whole input, or at the options alone if it is a stream.

    Raises:
        OSError: It cannot be read.
        RecordTooLongError: It holds no records.
    """
    found = Survey()
    if source.is_stream:
        if recipe.command is not None and "{}" not in recipe.command.words[0]:
            found.needs(SpawnTask("", command=tuple(recipe.command.words)))
        elif recipe.command is None and not recipe.jsonl:
            found.needs(SpawnTask("", tool=recipe.tool))
        return found
    found.total = 0
    places: dict[str, str] = {}
    for job in jobs_of(source, recipe):
        found.total += 1
        for problem in job.problems:
            found.complain(f"{job.place}: {problem}")
        if job.task is not None:
            found.needs(job.task)
        if job.id is not None:
            before = places.setdefault(str(job.id), job.place)
            if before is not job.place:
                found.complain(f'{job.place}: the id "{job.id}" is that of {before}')
    return found


def missing(found: Survey, which: Which = shutil.which) -> Iterator[str]:
    """A line for each tool or program that is needed and not there."""
    if None in found.tools:
        yield missing_agent_cli()
    for name in sorted(filter(None, found.tools)):
        tool = TOOLS[name]
        if which(tool.executable) is None:
            yield (
                f'"{tool.executable}" is not on PATH; install it ({tool.install}), name another '
                "tool, or try without a model: --tool extract"
            )
    for program in sorted(found.programs):
        if which(program) is None:
            yield (
                f'"{program}" is not on PATH; install it, put its folder on PATH or give its full '
                "path"
            )
