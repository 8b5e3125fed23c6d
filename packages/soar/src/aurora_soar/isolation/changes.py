"""What an agent changed: a branch of git, which is also where all that is known of it is kept.

`aurora/RUN/NAME` holds what the last attempt of a subgoal did, if it changed anything; what
attempts before it left is in `aurora-earlier/RUN/NAME/1` and so on. Where a branch began is in its
own section of git's settings, so that it goes when the branch goes.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from aurora_soar.isolation.git import GitError, git
from aurora_soar.workplaces import Changes

__all__ = [
    "answer_branch",
    "changes_of",
    "commit_of",
    "earlier_branches",
    "full_diff",
    "note_base",
]

# How much of a diff is carried along, characters; all of it is in the branch.
_DIFF = 64 * 1024

# Whatever a user's settings say of how differences look.
_PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")

# What git does not take in a name, among the characters that file names of ours are made of.
_NO_REF = re.compile(r"\.\.|\.$|\.lock$")


def answer_branch(run_id: str, name: str) -> str:
    """The branch of a subgoal's last attempt; `name` is the subgoal's safe file name."""
    return f"aurora/{run_id}/{_component(name)}"


def earlier_branches(run_id: str, name: str) -> str:
    """What the branches of the attempts before begin with."""
    return f"aurora-earlier/{run_id}/{_component(name)}"


def _component(name: str) -> str:
    if not _NO_REF.search(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.replace('.', '_')}-{digest}"


async def note_base(repository: Path, branch: str, base: str) -> None:
    """Note where a branch began.

    Raises:
        GitError: That cannot be written.
    """
    await git(repository, "config", f"branch.{branch}.auroraBase", base)


async def changes_of(repository: Path, branch: str) -> Changes | None:
    """What a branch of ours changed; None if there is no such branch.

    Raises:
        GitError: Git cannot tell.
    """
    commit = await commit_of(repository, branch)
    base = await _if_any(repository, "config", f"branch.{branch}.auroraBase")
    if commit is None or base is None:
        return None
    names = await git(repository, "diff", "--name-only", "-z", "--no-renames", base, commit)
    diff = await full_diff(repository, base, commit)
    return Changes(
        branch=branch,
        base=base,
        commit=commit,
        files=tuple(names.removesuffix("\0").split("\0")) if names else (),
        diffstat=await git(repository, "diff", "--stat=100", base, commit),
        diff=diff if len(diff) <= _DIFF else f"{diff[:_DIFF]}\n[cut: git diff {base} {commit}]\n",
        path=await _worktree_of(repository, branch),
    )


async def commit_of(repository: Path, branch: str) -> str | None:
    """The last commit of a branch; None if there is no such branch.

    Raises:
        GitError: Git cannot tell.
    """
    return await _if_any(repository, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")


async def _if_any(repository: Path, *arguments: str) -> str | None:
    try:
        return await git(repository, *arguments)
    except GitError as error:
        # That is how git says that there is none.
        if error.exit_code == 1:
            return None
        raise


async def full_diff(repository: Path, base: str, commit: str) -> str:
    """All that differs between two commits, as a patch; of more than 8 MiB the middle is left out.

    Raises:
        GitError: One of them is not there.
    """
    diff = await git(repository, "diff", *_PLAIN, base, commit)
    # A patch without its last newline is none.
    return f"{diff}\n" if diff else ""


async def _worktree_of(repository: Path, branch: str) -> str | None:
    listed = await git(repository, "worktree", "list", "--porcelain", "-z")
    path = None
    for line in listed.split("\0"):
        key, _, value = line.partition(" ")
        if key == "worktree":
            path = value
        elif key == "branch" and value == f"refs/heads/{branch}":
            return path
    return None
