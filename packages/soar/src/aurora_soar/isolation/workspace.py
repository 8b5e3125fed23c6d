"""One worktree, while an attempt works in it and when it is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aurora_soar.isolation.git import GitError, git
from aurora_soar.workplaces import Changes

__all__ = ["Workspace"]


@dataclass(slots=True)
class Workspace:
    """Where one attempt works.

    Attributes:
        path: The worktree.
        cwd: The folder to work in: the worktree, or the place in it that is ours in the repository.
        branch: Its branch.
        base: The commit that it began with.
        git_folder: What git keeps of it, in the repository.
        changes: What was changed; known once the workspace is left, None if that is nothing.
    """

    path: Path
    cwd: Path
    branch: str
    base: str
    git_folder: Path
    changes: Changes | None = None

    @property
    def named(self) -> dict[str, str]:
        """The variables that lead git here, whatever else is there."""
        return {
            "GIT_DIR": str(self.git_folder),
            "GIT_WORK_TREE": str(self.path),
            "GIT_INDEX_FILE": str(self.git_folder / "index"),
        }

    async def git(self, *arguments: str) -> str:
        """Run git on this worktree, and on no other.

        An agent may have removed what leads git here, and git would then find the user's own
        repository around it.

        Raises:
            GitError: See `aurora_soar.isolation.git.git`.
        """
        return await git(self.path, *arguments, env=self.named)

    async def commit(self, message: str) -> None:
        """Commit whatever is there that git does not ignore; nothing if that is no change.

        Raises:
            GitError: That cannot be done; nothing is lost.
        """
        # A git that was killed leaves its lock, and nobody works here any more.
        (self.git_folder / "index.lock").unlink(missing_ok=True)
        await self.git("add", "--all")
        try:
            await self.git("diff", "--cached", "--quiet")
        except GitError as error:
            # That is how it says that there is something.
            if error.exit_code != 1:
                raise
            await self.git("commit", "--quiet", "--no-verify", "-m", message)

    async def checked_out(self) -> str:
        """The branch that is checked out here; empty if that is none.

        Raises:
            GitError: Git cannot tell.
        """
        try:
            return await self.git("symbolic-ref", "--quiet", "--short", "HEAD")
        except GitError as error:
            if error.exit_code != 1:
                raise
            return ""
