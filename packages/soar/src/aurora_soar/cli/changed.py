"""What the subgoals of a run changed in their worktrees, as git keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from aurora_soar.isolation import answer_branch, changes_of
from aurora_soar.runs import RunFolder
from aurora_soar.workplaces import Changes

__all__ = ["Changed", "changed_by"]


@dataclass(frozen=True, slots=True)
class Changed:
    """What one subgoal changed.

    Attributes:
        subgoal: Its id.
        outcome: What became of it; None while its run goes on, or if that was killed.
        changes: What its last attempt changed.
    """

    subgoal: str
    outcome: str | None
    changes: Changes


async def changed_by(repository: Path, folder: RunFolder) -> list[Changed]:
    """Every subgoal of a run that changed something, those first on which others build.

    Args:
        repository: The top folder of the repository.
        folder: The folder of the run.

    Raises:
        GitError: Git cannot tell.
    """
    results = _results(folder.results)
    needs = {name: results.get(name, {}).get("depends_on", ()) for name in folder.ids}
    found = []
    for name in TopologicalSorter(needs).static_order():
        if name not in needs:
            continue
        branch = answer_branch(folder.id, folder.name(folder.ids.index(name)))
        if (changes := await changes_of(repository, branch)) is not None:
            found.append(Changed(name, results.get(name, {}).get("outcome"), changes))
    return found


def _results(path: Path) -> dict[str, dict[str, Any]]:
    """What the run's results say of each subgoal; nothing if there are none yet."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(each["id"]): each for each in data["subgoals"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
