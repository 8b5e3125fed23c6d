"""Brings what agents changed in their worktrees into the user's own tree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from aurora_soar.isolation.git import GitError, git
from aurora_soar.workplaces import Changes

__all__ = ["ApplyError", "ConflictError", "apply_changes", "in_the_way"]


class ApplyError(Exception):
    """Changes cannot be applied, and nothing was; the message says why, and what to do."""


class ConflictError(ApplyError):
    """Changes contradict what is there: they are applied, with git's marks where they do.

    Attributes:
        files: Where.
    """

    def __init__(self, branch: str, files: Sequence[str]) -> None:
        self.files = tuple(files)
        super().__init__(
            f"{branch} contradicts what is there, in {', '.join(files)}: the places are marked; "
            "edit them and git add, or take it back: git checkout HEAD -- FILE"
        )


async def in_the_way(repository: Path, changes: Sequence[Changes]) -> list[str]:
    """Files of the user's that are not committed, and that the changes are about too.

    Raises:
        GitError: Git cannot tell.
    """
    about = {file for each in changes for file in each.files}
    status = await git(
        repository, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"
    )
    # "XY path", and nothing more since renames are not looked for.
    dirty = [entry[3:] for entry in status.split("\0") if entry]
    return [file for file in dirty if file in about]


async def apply_changes(repository: Path, changes: Sequence[Changes]) -> None:
    """Apply changes to the user's working tree, one after the other, and stage them.

    Where the tree has moved on since, git merges.

    Args:
        repository: Its top folder.
        changes: In the order in which they build on each other.

    Raises:
        ApplyError: The user's own uncommitted work is in the way, or git cannot apply one.
        ConflictError: One contradicts what is there; those before it are applied.
        GitError: Git cannot tell.
    """
    dirty = await in_the_way(repository, changes)
    if dirty:
        raise ApplyError(
            f"what you have not committed is in the way: {', '.join(dirty)}; "
            "commit it, or put it aside: git stash --include-untracked"
        )
    for each in changes:
        await _apply(repository, each)


async def _apply(repository: Path, changes: Changes) -> None:
    with tempfile.NamedTemporaryFile(prefix="aurora-", suffix=".patch") as patch:
        # A file and not a pipe: the patch may be of any size, and of any bytes.
        await git(
            repository,
            *("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
            *("--src-prefix=a/", "--dst-prefix=b/", f"--output={patch.name}"),
            *(changes.base, changes.commit),
        )
        try:
            await git(
                repository, "apply", "--3way", "--whitespace=nowarn", "--allow-empty", patch.name
            )
        except GitError as error:
            unmerged = await git(repository, "diff", "--name-only", "-z", "--diff-filter=U")
            if unmerged:
                conflicts = unmerged.removesuffix("\0").split("\0")
                raise ConflictError(changes.branch, conflicts) from None
            raise ApplyError(f"{changes.branch} cannot be applied: {error}") from None
