"""The run that a command line names, and a subgoal of it."""

from __future__ import annotations

from typing import Annotated

import typer

from aurora_soar.cli.completion import complete_run, complete_subgoal
from aurora_soar.cli.places import HOME
from aurora_soar.cli.streams import refuse
from aurora_soar.plan import did_you_mean
from aurora_soar.runs import NoSuchRunError, RunFolder, RunRequest, find_run

__all__ = ["RunName", "SubgoalName", "run_or_exit", "subgoal_or_exit"]

RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="Its id, or the beginning of it; else the latest.",
        autocompletion=complete_run,
    ),
]
SubgoalName = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="One subgoal; else all.", autocompletion=complete_subgoal),
]


def run_or_exit(name: str | None) -> tuple[RunRequest, RunFolder]:
    """The run of that name; ends the command if there is none."""
    try:
        return find_run(HOME, name)
    except NoSuchRunError as error:
        refuse(str(error))


def subgoal_or_exit(folder: RunFolder, name: str) -> str:
    """The name of a subgoal of the run; ends the command if it has none."""
    if name not in folder.ids:
        hint = did_you_mean(name, folder.ids)
        refuse(f'run {folder.id} has no subgoal "{name}".{hint}')
    return name
