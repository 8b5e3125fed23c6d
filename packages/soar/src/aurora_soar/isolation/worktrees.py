"""A git worktree for each attempt of an agent, from a clean commit; the user's own is not touched.

    async with worktrees.workspace("api") as workspace:
        ...  # the agent works in workspace.cwd
    workspace.changes  # what it changed, committed to a branch; None: nothing

What is in a worktree when its attempt ends is committed to its branch, and the worktree stays, for
whoever wants to look; one in which nothing was changed goes. None is ever deleted by force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from aurora_soar.folders import make_private
from aurora_soar.isolation.changes import (
    answer_branch,
    changes_of,
    commit_of,
    earlier_branches,
    note_base,
)
from aurora_soar.isolation.git import GitError, git, repository_root
from aurora_soar.isolation.workspace import Workspace
from aurora_soar.workplaces import Changes, NoPlaceError
from aurora_spawner import SpawnTask

__all__ = ["IsolationError", "Worktrees"]

_log = logging.getLogger("aurora_soar")

# What a cancelled run still spends on a worktree, seconds: within the 12 in which everything has
# to be gone after the second Ctrl-C. What is not done by then stays in the worktree.
_IN_A_HURRY = 5.0


class IsolationError(NoPlaceError):
    """There can be no worktree; the message says why, and what to do."""


class Worktrees:
    """The worktrees of one run; made by `begin`.

    Attributes:
        base: The commit that all of them begin with, 40 hexadecimal digits.
        uncommitted: Whether the user's own tree has changes that are not in it.
        changes: What the last attempt of each subgoal changed, by name; None: nothing.
    """

    def __init__(
        self, repository: Path, here: Path, home: Path, run_id: str, base: str, *, uncommitted: bool
    ) -> None:
        self.base = base
        self.uncommitted = uncommitted
        self.changes: dict[str, Changes | None] = {}
        self._repository = repository
        self._here = here.resolve()
        self._folder = home.resolve() / "worktrees" / run_id
        self._run_id = run_id
        self._numbers: dict[str, int] = {}
        self._refused: set[str] = set()
        # Git locks what worktrees share for a moment only, and gives up where it is locked.
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def begin(cls, here: Path, home: Path, run_id: str) -> Worktrees:
        """Take the commit that we stand on as the base of all.

        Args:
            here: Where we stand, in a repository.
            home: The folder `.aurora`; worktrees are kept in `worktrees/RUN` below it.
            run_id: The run.

        Raises:
            IsolationError: There is no repository, no commit in it, or no git.
        """
        repository = repository_root(here)
        if repository is None:
            raise IsolationError(f"{here} is in no git repository: git init, or --isolation none")
        try:
            await git(repository, "rev-parse", "--git-dir")
            base = await git(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
            status = await git(repository, "status", "--porcelain")
        except GitError as error:
            if error.exit_code == 1:
                text = f"{repository} has no commit that a worktree could begin with: git commit"
                raise IsolationError(f"{text}, or --isolation none") from None
            raise IsolationError(f"{error}; or --isolation none") from None
        return cls(repository, here, home, run_id, base, uncommitted=bool(status))

    def told(self) -> str:
        """What people should know when the run begins, in one line."""
        line = f"agents that may write work in git worktrees of their own, from {self.base[:10]}"
        if self.uncommitted:
            line += "; what you have not committed is not in them"
        return line

    async def remember(self, names: Iterable[str]) -> None:
        """Take over what an earlier part of the same run has changed, by the subgoals' names.

        Raises:
            IsolationError: Git cannot tell.
        """
        try:
            for name in names:
                branch = answer_branch(self._run_id, name)
                if (known := await changes_of(self._repository, branch)) is not None:
                    self.changes[name] = known
        except GitError as error:
            raise IsolationError(str(error)) from None

    def refuse(self, name: str) -> None:
        """A subgoal failed: nobody is to build on what it changed."""
        self._refused.add(name)

    @asynccontextmanager
    async def placed(
        self, task: SpawnTask, name: str, builds_on: Iterable[str] = ()
    ) -> AsyncIterator[SpawnTask]:
        """The task with a workspace as its folder, as long as it is entered; see `workspace`.

        One that goes on with the session of an attempt before goes on in its worktree too.
        """
        going_on = task.session_id is not None
        cwd = None if task.cwd is None else Path(task.cwd)
        async with self.workspace(name, builds_on, cwd=cwd, going_on=going_on) as workspace:
            # Whoever was started by a hook of git would lead the agent to the user's own tree.
            led = {name: value for name, value in workspace.named.items() if name in os.environ}
            yield replace(task, cwd=str(workspace.cwd), env={**task.env, **led})

    @asynccontextmanager
    async def workspace(
        self,
        name: str,
        builds_on: Iterable[str] = (),
        *,
        cwd: Path | None = None,
        going_on: bool = False,
    ) -> AsyncIterator[Workspace]:
        """A fresh worktree for an attempt, as long as it is entered.

        Args:
            name: The subgoal's name among files.
            builds_on: Names of subgoals whose changes it begins with, those that have none
                left out.
            cwd: Where the attempt works; None: where we stand. What lies in the repository is
                taken for the same place in the worktree.
            going_on: Work goes on in the worktree of the last attempt, if that is still there.

        Raises:
            IsolationError: Git can make none, or changes to build on contradict each other.
        """
        try:
            space = await self._begun(name, builds_on, going_on=going_on)
        except GitError as error:
            raise IsolationError(f"no worktree for {name}: {error}") from None
        space.cwd = self._place_in(space.path, cwd)
        try:
            yield space
        except asyncio.CancelledError:
            try:
                async with asyncio.timeout(_IN_A_HURRY):
                    await self._end(space, name)
            except TimeoutError:
                _log.warning("what %s did is in %s, not committed", name, space.path)
            raise
        except BaseException:
            await self._end(space, name)
            raise
        await self._end(space, name)

    def _place_in(self, path: Path, cwd: Path | None) -> Path:
        wanted = (self._here / (cwd or "")).resolve()
        if not wanted.is_relative_to(self._repository):
            return wanted
        place = path / wanted.relative_to(self._repository)
        # Git keeps no empty folders, and knows none that was never committed.
        place.mkdir(parents=True, exist_ok=True)
        return place

    # The beginning

    async def _begun(self, name: str, builds_on: Iterable[str], *, going_on: bool) -> Workspace:
        branch = answer_branch(self._run_id, name)
        async with self._one_at_a_time:
            before = await changes_of(self._repository, branch)
            if going_on and before is not None and before.path is not None:
                return await self._entered(Path(before.path), branch, before.base)
            if await commit_of(self._repository, branch) is not None:
                await self._put_aside(branch, name)
            path = self._path(name, again=going_on)
            for folder in (self._folder.parent, self._folder):
                make_private(folder)
            (self._folder.parent / ".gitignore").write_text("*\n")
            await self._made(path, branch)
            try:
                space = await self._entered(path, branch, self.base)
                for each in builds_on:
                    await self._build_on(space, each)
                space.base = await space.git("rev-parse", "HEAD")
                await note_base(self._repository, branch, space.base)
            except BaseException:
                # Nobody has worked in it yet.
                await self._remove(path, branch, "--force")
                raise
            return space

    async def _put_aside(self, branch: str, name: str) -> None:
        """Keep what an attempt before has left under another name."""
        earlier = earlier_branches(self._run_id, name)
        known = await git(self._repository, "for-each-ref", "--format=x", f"refs/heads/{earlier}/")
        number = len(known.splitlines()) + 1
        await git(self._repository, "branch", "--move", branch, f"{earlier}/{number}")

    def _path(self, name: str, *, again: bool) -> Path:
        form = re.compile(rf"{re.escape(name)}-(\d+)")
        kept = self._folder.iterdir() if self._folder.is_dir() else ()
        numbers = [int(found[1]) for each in kept if (found := form.fullmatch(each.name))]
        last = self._numbers.get(name, 0)
        if not (again and last and last not in numbers):
            last = max([last, *numbers]) + 1
        self._numbers[name] = last
        return self._folder / f"{name}-{last}"

    async def _made(self, path: Path, branch: str) -> None:
        try:
            await git(
                self._repository, "worktree", "add", "--quiet", "-b", branch, str(path), self.base
            )
        except BaseException:
            await self._remove(path, branch, "--force")
            raise

    async def _entered(self, path: Path, branch: str, base: str) -> Workspace:
        folder = await git(path, "rev-parse", "--absolute-git-dir")
        return Workspace(path, path, branch, base, Path(folder))

    async def _build_on(self, space: Workspace, name: str) -> None:
        branch = answer_branch(self._run_id, name)
        if name in self._refused or await changes_of(self._repository, branch) is None:
            return
        message = f"Build on {name}"
        try:
            await space.git("merge", "--quiet", "--no-verify", "-m", message, branch)
        except GitError as error:
            conflicts = [
                line.rpartition(" ")[2]
                for line in error.said.splitlines()
                if line.startswith("CONFLICT")
            ]
            if not conflicts:
                raise
            raise IsolationError(
                f"it builds on subgoals whose changes contradict each other: {name}, "
                f"in {', '.join(conflicts)}; let one of them depend on the other"
            ) from None

    # The end

    async def _end(self, space: Workspace, name: str) -> None:
        try:
            space.changes = await self._kept(space, name)
        except GitError as error:
            _log.warning("what %s did stays in %s, not committed: %s", name, space.path, error)
            try:
                space.changes = await changes_of(self._repository, space.branch)
            except GitError:
                space.changes = None
        self.changes[name] = space.changes

    async def _kept(self, space: Workspace, name: str) -> Changes | None:
        is_there = space.path.is_dir()
        if is_there:
            await space.commit(f"{name}, run {self._run_id}")
            tip = await space.git("rev-parse", "HEAD")
        else:
            # Whoever worked in it has removed it; what was committed is in the branch.
            await git(self._repository, "worktree", "prune")
            tip = await git(self._repository, "rev-parse", space.branch)
        async with self._one_at_a_time:
            if is_there and await space.checked_out() != space.branch:
                # The agent made a branch of its own.
                await git(self._repository, "branch", "--force", space.branch, tip)
            elif is_there and tip == space.base:
                await self._remove(space.path, space.branch)
            return await changes_of(self._repository, space.branch)

    async def _remove(self, path: Path, branch: str, *force: str) -> None:
        """Remove a worktree and its branch; without force git keeps one that holds anything."""
        try:
            await git(self._repository, "worktree", "remove", *force, str(path))
            await git(self._repository, "branch", "--quiet", "-D", branch)
        except GitError as error:
            _log.debug("worktree %s stays: %s", path, error)
