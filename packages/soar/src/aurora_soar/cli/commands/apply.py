"""`aurora-soar apply`: take over what agents changed in their worktrees."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from aurora_soar.cli.changed import Changed, changed_by
from aurora_soar.cli.named import RunName, SubgoalName, run_or_exit, subgoal_or_exit
from aurora_soar.cli.streams import complain, outputs, refuse
from aurora_soar.isolation import (
    ApplyError,
    ConflictError,
    GitError,
    apply_changes,
    repository_root,
)
from aurora_soar.runs import RunFolder
from aurora_spawner import ExitCode, safe_line

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("apply")
@outputs()
def apply_command(
    run: RunName = None,
    subgoal: SubgoalName = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Show it; change nothing.")
    ] = False,
) -> None:
    """Apply what subgoals changed in their git worktrees to your own tree, and stage it.

    Where your tree has moved on since, git merges. Nothing is committed.
    """
    _, folder = run_or_exit(run)
    repository = repository_root(Path.cwd())
    if repository is None:
        refuse("this is no git repository, so no subgoal had a worktree")
    try:
        chosen = _chosen(asyncio.run(changed_by(repository, folder)), folder, subgoal)
        if not dry_run:
            asyncio.run(apply_changes(repository, [each.changes for each in chosen]))
    except ConflictError as error:
        complain(f"aurora-soar: {error}")
        raise typer.Exit(ExitCode.FAILED) from None
    except (ApplyError, GitError) as error:
        refuse(str(error))
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
            refuse(
                f"no subgoal of run {folder.id} has succeeded and changed something in a worktree"
            )
        return good
    subgoal = subgoal_or_exit(folder, subgoal)
    named = [each for each in found if each.subgoal == subgoal]
    if not named:
        refuse(f'"{subgoal}" changed nothing in a worktree')
    if named[0].outcome != "ok":
        branch = named[0].changes.branch
        refuse(f'"{subgoal}" has not succeeded; what it left is in the branch {branch}')
    return named
