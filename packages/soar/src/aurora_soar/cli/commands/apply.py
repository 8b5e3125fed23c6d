"""`aurora-soar apply`: take over what agents changed in their worktrees."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from aurora_soar.cli.changed import Changed, changed_by
from aurora_soar.cli.completion import complete_run, complete_subgoal
from aurora_soar.cli.places import HOME
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.isolation import (
    ApplyError,
    ConflictError,
    GitError,
    apply_changes,
    repository_root,
)
from aurora_soar.plan import did_you_mean
from aurora_soar.runs import NoSuchRunError, RunFolder, find_run
from aurora_spawner import ExitCode, safe_line

__all__ = ["apply_command"]


@outputs()
def apply_command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Its id, or the beginning of it; else the latest.",
            autocompletion=complete_run,
        ),
    ] = None,
    subgoal: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="Only what this subgoal changed; else all that succeeded.",
            autocompletion=complete_subgoal,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Show it; change nothing.")
    ] = False,
) -> None:
    """Apply what subgoals changed in their git worktrees to your own tree, and stage it.

    Where your tree has moved on since, git merges. Nothing is committed.
    """
    try:
        _, folder = find_run(HOME, run)
    except NoSuchRunError as error:
        _end(str(error))
    repository = repository_root(Path.cwd())
    if repository is None:
        _end("this is no git repository, so no subgoal had a worktree")
    try:
        chosen = _chosen(asyncio.run(changed_by(repository, folder)), folder, subgoal)
        if not dry_run:
            asyncio.run(apply_changes(repository, [each.changes for each in chosen]))
    except ConflictError as error:
        complain(f"aurora-soar: {error}")
        raise typer.Exit(ExitCode.FAILED) from None
    except (ApplyError, GitError) as error:
        _end(str(error))
    for each in chosen:
        print(f"{safe_line(each.subgoal)}  {each.changes.branch}")
        for line in each.changes.diffstat.splitlines():
            print(f"  {safe_line(line)}")
    sys.stdout.flush()


def _chosen(found: list[Changed], folder: RunFolder, subgoal: str | None) -> list[Changed]:
    """What is to be applied; ends here if that is nothing."""
    if subgoal is None:
        good = [each for each in found if each.outcome == "ok"]
        if not good:
            _end(f"no subgoal of run {folder.id} has succeeded and changed something in a worktree")
        return good
    if subgoal not in folder.ids:
        hint = did_you_mean(subgoal, folder.ids)
        _end(f'run {folder.id} has no subgoal "{subgoal}".{hint}')
    named = [each for each in found if each.subgoal == subgoal]
    if not named:
        _end(f'"{subgoal}" changed nothing in a worktree')
    if named[0].outcome != "ok":
        branch = named[0].changes.branch
        _end(f'"{subgoal}" has not succeeded; what it left is in the branch {branch}')
    return named


def _end(text: str) -> NoReturn:
    complain(f"aurora-soar: {text}")
    raise typer.Exit(ExitCode.USAGE)
