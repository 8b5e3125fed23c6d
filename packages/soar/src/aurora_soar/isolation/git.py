"""Runs git: with our own choices instead of a user's settings, and errors in git's own words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from aurora_spawner import Limits, run_process

__all__ = ["GitError", "git", "repository_root"]

# Seconds. To check out a large repository on a slow disk takes minutes.
_LIMITS = Limits(timeout=600.0)

# What a user's settings must not change about what we do behind the scenes: no hooks, no signing,
# and nothing that goes on in the background when git has answered.
_SETTINGS = {
    "advice.detachedHead": "false",
    "commit.gpgSign": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.quotePath": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "user.email": "aurora-soar@localhost",
    "user.name": "aurora-soar",
}

# What whoever is started by a hook of git has: these would win over the folder that we name (they
# are what `git rev-parse --local-env-vars` lists, settings left out) and over the settings above.
_ELSEWHERE = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"),
        *("GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        *("GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE"),
        *("GIT_NAMESPACE", "GIT_DIFF_OPTS", "GIT_EXTERNAL_DIFF"),
        *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_AUTHOR_DATE"),
        *("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_COMMITTER_DATE"),
    }
)


class GitError(Exception):
    """Git could not do it.

    Attributes:
        exit_code: Git's.
        said: What it said, on both outputs.
    """

    def __init__(self, text: str, exit_code: int = -1, said: str = "") -> None:
        super().__init__(text)
        self.exit_code = exit_code
        self.said = said


async def git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What `git ARGUMENTS` says on standard output in a folder, its last newline left out.

    Args:
        folder: Where it works.
        arguments: The command and its arguments.
        env: Variables on top of ours.

    Raises:
        GitError: It is not there, or ended with another code than 0.
    """
    settings = [part for pair in _SETTINGS.items() for part in ("-c", "=".join(pair))]
    ours = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    ended = await run_process(
        ["git", *settings, *arguments],
        cwd=str(folder),
        env={**ours, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(env or {})},
        limits=_LIMITS,
    )
    if ended.start_error is not None:
        raise GitError(ended.start_error.message)
    said = ended.stdout.text()
    if ended.exit_code != 0:
        everything = f"{ended.stderr.text()}\n{said}".strip()
        reason = ended.stopped.reason if ended.stopped else everything
        raise GitError(f"git {arguments[0]}: {reason}", ended.exit_code, everything)
    return said.removesuffix("\n")


def repository_root(folder: Path) -> Path | None:
    """The top folder of the git repository that a folder lies in; None outside of any.

    Git is not asked: whoever only wants to know the project need not have it.
    """
    folder = folder.resolve()
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)
