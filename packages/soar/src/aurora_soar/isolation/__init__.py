"""Git worktrees for agents that may write: who gets one, what came of it, how to take it over."""

from aurora_soar.isolation.applying import ApplyError, ConflictError, apply_changes, in_the_way
from aurora_soar.isolation.changes import answer_branch, changes_of, full_diff
from aurora_soar.isolation.choice import Reason, isolated, overlapping
from aurora_soar.isolation.git import GitError, git, repository_root
from aurora_soar.isolation.workspace import Workspace
from aurora_soar.isolation.worktrees import IsolationError, Worktrees

__all__ = [
    "ApplyError",
    "ConflictError",
    "GitError",
    "IsolationError",
    "Reason",
    "Workspace",
    "Worktrees",
    "answer_branch",
    "apply_changes",
    "changes_of",
    "full_diff",
    "git",
    "in_the_way",
    "isolated",
    "overlapping",
    "repository_root",
]
