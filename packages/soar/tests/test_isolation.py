"""Worktrees, with real git."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from aurora_soar.isolation import (
    ApplyError,
    ConflictError,
    IsolationError,
    Worktrees,
    apply_changes,
    changes_of,
    full_diff,
)
from aurora_soar.workplaces import Changes
from aurora_spawner import SpawnTask

pytestmark = pytest.mark.asyncio


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit: `a.txt`, `b.txt` and `sub/c.txt`, and an ignored folder."""
    folder = tmp_path / "repo"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "b.txt").write_text("b\n")
    (folder / "sub" / "c.txt").write_text("c\n")
    (folder / ".gitignore").write_text("build/\n")
    run(folder, "init", "--quiet", "--initial-branch=main")
    run(folder, "config", "user.name", "Somebody")
    run(folder, "config", "user.email", "somebody@example.org")
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "-m", "first")
    return folder


def run(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return ended.stdout.strip()


def branches(folder: Path) -> set[str]:
    return set(run(folder, "branch", "--format=%(refname:short)").splitlines())


async def begin(repo: Path, here: Path | None = None) -> Worktrees:
    return await Worktrees.begin(here or repo, repo / ".aurora", "k3f9")


async def changed(worktrees: Worktrees, name: str, files: dict[str, str], *on: str) -> Changes:
    """What comes of an attempt that writes these files."""
    async with worktrees.workspace(name, on) as space:
        for file, text in files.items():
            (space.cwd / file).write_text(text)
    assert space.changes is not None
    return space.changes


async def test_an_attempt_works_in_a_clean_tree_of_its_own(repo: Path) -> None:
    """The worktree holds the last commit, and the user's dirty tree stays as it is."""
    (repo / "a.txt").write_text("mine, not committed\n")
    worktrees = await begin(repo)
    assert worktrees.uncommitted
    assert "what you have not committed is not in them" in worktrees.told()
    async with worktrees.workspace("api") as space:
        assert (space.cwd / "a.txt").read_text() == "one\ntwo\nthree\n"
        (space.cwd / "a.txt").write_text("the agent's\n")
        (space.cwd / "new.txt").write_text("new\n")
    assert (repo / "a.txt").read_text() == "mine, not committed\n"
    assert run(repo, "status", "--porcelain") == "M a.txt"
    assert run(repo, "branch", "--show-current") == "main"


async def test_all_begin_with_the_commit_of_the_beginning(repo: Path) -> None:
    """What the user commits while the run goes on is in no worktree of that run."""
    worktrees = await begin(repo)
    (repo / "a.txt").write_text("meanwhile\n")
    run(repo, "commit", "--quiet", "-am", "meanwhile")
    changes = await changed(worktrees, "api", {"b.txt": "x\n"})
    assert changes.base == worktrees.base != run(repo, "rev-parse", "HEAD")
    assert changes.files == ("b.txt",)
    assert run(repo, "show", "aurora/k3f9/api:a.txt") == "one\ntwo\nthree"


async def test_what_was_changed_is_committed_to_a_branch_and_told(repo: Path) -> None:
    """The changes carry branch, base, files, sizes, patch and the worktree, which stays."""
    worktrees = await begin(repo)
    changes = await changed(worktrees, "api", {"a.txt": "one\n2\nthree\n", "new.txt": "new\n"})
    assert changes.branch == "aurora/k3f9/api"
    assert changes.base == worktrees.base == run(repo, "rev-parse", "HEAD")
    assert changes.files == ("a.txt", "new.txt")
    assert "2 files changed, 2 insertions(+), 1 deletion(-)" in changes.diffstat
    assert "-two\n+2\n" in changes.diff
    assert changes.path == str(repo / ".aurora" / "worktrees" / "k3f9" / "api-1")
    assert (Path(changes.path) / "new.txt").read_text() == "new\n"
    assert run(repo, "show", "aurora/k3f9/api:new.txt") == "new"
    assert worktrees.changes == {"api": changes}
    assert await changes_of(repo, "aurora/k3f9/api") == changes
    assert run(repo, "status", "--porcelain") == ""


async def test_a_tree_without_changes_goes_and_so_does_its_branch(repo: Path) -> None:
    """Nothing is left of an attempt that changed nothing, ignored files apart from it."""
    worktrees = await begin(repo)
    async with worktrees.workspace("api") as space:
        (space.cwd / "a.txt").read_text()
    assert space.changes is None
    assert not space.path.exists()
    assert branches(repo) == {"main"}
    assert len(run(repo, "worktree", "list").splitlines()) == 1


async def test_a_retry_never_inherits_a_half_edited_tree(repo: Path) -> None:
    """Each attempt begins clean; what the one before left is kept under a name of its own."""
    worktrees = await begin(repo)
    first = await changed(worktrees, "api", {"a.txt": "half\n", "junk": "junk\n"})
    async with worktrees.workspace("api") as space:
        assert (space.cwd / "a.txt").read_text() == "one\ntwo\nthree\n"
        assert not (space.cwd / "junk").exists()
        (space.cwd / "b.txt").write_text("whole\n")
    assert space.changes is not None
    assert (space.changes.branch, space.changes.files) == ("aurora/k3f9/api", ("b.txt",))
    assert branches(repo) == {"main", "aurora/k3f9/api", "aurora-earlier/k3f9/api/1"}
    assert run(repo, "rev-parse", "aurora-earlier/k3f9/api/1") == first.commit
    assert first.path is not None
    assert (Path(first.path) / "junk").read_text() == "junk\n"


async def test_a_run_that_was_killed_is_taken_up_again(repo: Path) -> None:
    """F54: branch and tree of an attempt that nobody ended, noted or not, are in nobody's way."""
    path = repo / ".aurora" / "worktrees" / "k3f9" / "api-1"
    run(repo, "worktree", "add", "--quiet", "-b", "aurora/k3f9/api", str(path))
    (path / "a.txt").write_text("half\n")
    changes = await changed(await begin(repo), "api", {"b.txt": "x\n"})
    assert changes.files == ("b.txt",)
    assert (path / "a.txt").read_text() == "half\n"


async def test_whoever_goes_on_finds_the_tree_of_the_attempt_before(repo: Path) -> None:
    """An attempt that goes on with an agent's session works in the same folder, with its edits."""
    worktrees = await begin(repo)
    task = SpawnTask("x", session_id="s-1")
    async with worktrees.placed(SpawnTask("x"), "api") as first:
        assert first.cwd is not None
        Path(first.cwd, "a.txt").write_text("begun\n")
    async with worktrees.placed(task, "api") as second:
        assert second.cwd == first.cwd
        Path(second.cwd, "a.txt").write_text("done\n")
    assert worktrees.changes["api"] is not None
    assert "+done" in worktrees.changes["api"].diff
    async with worktrees.placed(SpawnTask("x"), "docs") as third:
        pass
    async with worktrees.placed(task, "docs") as fourth:
        assert fourth.cwd == third.cwd
    assert branches(repo) == {"main", "aurora/k3f9/api"}


async def test_sixteen_at_once_get_a_tree_each(repo: Path) -> None:
    """Worktrees asked for at the same moment are made one after the other, all of them."""
    worktrees = await begin(repo)

    async def work(number: int) -> Changes:
        return await changed(worktrees, f"s{number}", {"a.txt": f"{number}\n"})

    done = await asyncio.gather(*(work(number) for number in range(16)))
    assert {each.branch for each in done} == {f"aurora/k3f9/s{number}" for number in range(16)}
    assert [each.diff.rpartition("+")[2] for each in done] == [f"{n}\n" for n in range(16)]


async def test_whoever_builds_on_others_begins_with_their_changes(repo: Path) -> None:
    """The changes of dependencies are merged first, and are not counted as one's own."""
    worktrees = await begin(repo)
    await changed(worktrees, "api", {"a.txt": "api\n"})
    await changed(worktrees, "docs", {"b.txt": "docs\n"})
    await changed(worktrees, "bad", {"b.txt": "bad\n"})
    worktrees.refuse("bad")
    async with worktrees.workspace("tests", ["api", "docs", "bad", "nothing"]) as space:
        assert (space.cwd / "a.txt").read_text() == "api\n"
        assert (space.cwd / "b.txt").read_text() == "docs\n"
        (space.cwd / "t.txt").write_text("t\n")
    assert space.changes is not None
    assert space.changes.files == ("t.txt",)


async def test_changes_that_contradict_each_other_are_no_base(repo: Path) -> None:
    """A conflict between dependencies is told with the file, and leaves no tree behind."""
    worktrees = await begin(repo)
    await changed(worktrees, "x", {"a.txt": "x\n"})
    await changed(worktrees, "y", {"a.txt": "y\n"})
    with pytest.raises(IsolationError, match=r"contradict each other: y, in a\.txt; let one"):
        async with worktrees.workspace("z", ["x", "y"]):
            pytest.fail("nobody works there")
    assert branches(repo) == {"main", "aurora/k3f9/x", "aurora/k3f9/y"}


async def test_the_same_place_in_the_repository(repo: Path) -> None:
    """From a subfolder the agent works in that subfolder, also in one that git does not know."""
    (repo / "fresh").mkdir()
    worktrees = await begin(repo, repo / "sub")
    async with worktrees.workspace("a") as space:
        assert space.cwd == space.path / "sub"
    async with worktrees.workspace("b", cwd=Path("../fresh")) as space:
        assert space.cwd == space.path / "fresh"
        assert space.cwd.is_dir()
    async with worktrees.workspace("c", cwd=repo.parent) as space:
        assert space.cwd == repo.parent


async def test_a_cancelled_attempt_leaves_its_edits_on_its_branch(repo: Path) -> None:
    """Cancellation in the middle of an attempt loses nothing that the agent wrote."""
    worktrees = await begin(repo)
    written = asyncio.Event()

    async def work() -> None:
        async with worktrees.workspace("api") as space:
            (space.cwd / "a.txt").write_text("half\n")
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run(repo, "show", "aurora/k3f9/api:a.txt") == "half"


async def test_an_agent_that_uses_git_itself(repo: Path) -> None:
    """Commits, a branch of its own and a stale lock of its git are all taken in."""
    worktrees = await begin(repo)
    async with worktrees.workspace("api") as space:
        run(space.path, "checkout", "--quiet", "-b", "feature")
        (space.path / "a.txt").write_text("committed\n")
        run(space.path, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qam", "mine")
        (space.path / "b.txt").write_text("not committed\n")
        (space.git_folder / "index.lock").touch()
    assert space.changes is not None
    assert space.changes.files == ("a.txt", "b.txt")
    assert run(repo, "rev-parse", "feature") == run(repo, "rev-parse", "aurora/k3f9/api")


async def test_an_agent_that_cuts_itself_off_from_git_cannot_reach_the_users_tree(
    repo: Path,
) -> None:
    """Without its `.git` the worktree's folder lies in the user's repository, which stays as is."""
    worktrees = await begin(repo)
    async with worktrees.workspace("api") as space:
        (space.path / ".git").unlink()
        (space.path / "a.txt").write_text("x\n")
    assert run(repo, "status", "--porcelain") == ""
    assert run(repo, "log", "--oneline", "main").count("\n") == 0
    assert space.changes is not None
    assert space.changes.files == ("a.txt",)


async def test_an_agent_of_a_run_that_a_hook_started_is_led_to_its_worktree(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of git that we inherited, and that name the user's tree, reach no agent."""
    monkeypatch.setenv("GIT_DIR", str(repo / ".git"))
    worktrees = await begin(repo)
    async with worktrees.placed(SpawnTask("x", env={"A": "a"}), "api") as task:
        assert task.cwd is not None
        Path(task.cwd, "a.txt").write_text("x\n")
        assert task.env.keys() == {"A", "GIT_DIR"}
        assert run(Path(task.cwd), "--git-dir", task.env["GIT_DIR"], "status", "-s") == "M a.txt"
    assert worktrees.changes["api"] is not None


async def test_hooks_and_settings_of_the_user_do_not_interfere(repo: Path) -> None:
    """A hook that refuses every commit, signing without a key, and odd prefixes change nothing."""
    for name in ("pre-commit", "commit-msg", "post-checkout"):
        hook = repo / ".git" / "hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    run(repo, "config", "commit.gpgSign", "true")
    run(repo, "config", "diff.noprefix", "true")
    run(repo, "config", "diff.external", "false")
    worktrees = await begin(repo)
    changes = await changed(worktrees, "api", {"a.txt": "x\n"})
    assert "--- a/a.txt\n+++ b/a.txt\n" in changes.diff
    await apply_changes(repo, [changes])
    assert (repo / "a.txt").read_text() == "x\n"


async def test_the_diff_that_is_carried_along_is_bounded(repo: Path) -> None:
    """A huge change is cut in the output, with the way to all of it."""
    worktrees = await begin(repo)
    changes = await changed(worktrees, "api", {"big.txt": "x" * 50 + "\n" * 100_000})
    assert len(changes.diff) < 70_000
    assert changes.diff.endswith(f"[cut: git diff {changes.base} {changes.commit}]\n")
    assert len(await full_diff(repo, changes.base, changes.commit)) > 100_000


@pytest.mark.parametrize("name", ["a..b", "x.lock", "x."])
async def test_f61_names_that_git_refuses(repo: Path, name: str) -> None:
    """F61: a safe file name that is no name for a branch gets one that is."""
    worktrees = await begin(repo)
    changes = await changed(worktrees, name, {"a.txt": "x\n"})
    assert changes.branch.startswith("aurora/k3f9/")


async def test_where_there_can_be_no_worktree(repo: Path, tmp_path: Path) -> None:
    """Outside of a repository and before the first commit the error says what to do."""
    with pytest.raises(IsolationError, match=r"is in no git repository: git init, or --isolation"):
        await Worktrees.begin(tmp_path, tmp_path / ".aurora", "k3f9")
    empty = tmp_path / "empty"
    empty.mkdir()
    run(empty, "init", "--quiet")
    with pytest.raises(IsolationError, match=r"has no commit .*: git commit, or --isolation none"):
        await Worktrees.begin(empty, empty / ".aurora", "k3f9")


async def test_changes_are_applied_in_order_and_merged(repo: Path) -> None:
    """Changes that build on each other reach a tree that has moved on since, and are staged."""
    worktrees = await begin(repo)
    first = await changed(worktrees, "api", {"a.txt": "ONE\ntwo\nthree\n"})
    second = await changed(worktrees, "more", {"a.txt": "ONE\nTWO\nthree\n", "n.txt": "n"}, "api")
    (repo / "b.txt").write_text("mine\n")
    (repo / "sub" / "c.txt").write_text("c\nmore\n")
    run(repo, "commit", "--quiet", "-m", "moved on", "sub")
    await apply_changes(repo, [first, second])
    assert (repo / "a.txt").read_text() == "ONE\nTWO\nthree\n"
    assert (repo / "n.txt").read_text() == "n"
    assert (repo / "b.txt").read_text() == "mine\n"
    assert run(repo, "diff", "--cached", "--name-only") == "a.txt\nn.txt"


async def test_nothing_is_applied_over_uncommitted_work(repo: Path) -> None:
    """A dirty or untracked file in the way is named, with the remedy, before anything happens."""
    worktrees = await begin(repo)
    first = await changed(worktrees, "api", {"a.txt": "x\n"})
    second = await changed(worktrees, "docs", {"new.txt": "x\n"})
    (repo / "new.txt").write_text("mine\n")
    with pytest.raises(ApplyError, match=r"in the way: new\.txt; commit it, or .* git stash"):
        await apply_changes(repo, [first, second])
    assert (repo / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_a_conflict_is_marked_and_told(repo: Path) -> None:
    """Where the tree says otherwise by now, git's marks are, and the error names the file."""
    worktrees = await begin(repo)
    changes = await changed(worktrees, "api", {"a.txt": "one\n2\nthree\n"})
    (repo / "a.txt").write_text("one\nzwei\nthree\n")
    run(repo, "commit", "--quiet", "-am", "otherwise")
    with pytest.raises(ConflictError, match=r"contradicts what is there, in a\.txt") as raised:
        await apply_changes(repo, [changes])
    assert raised.value.files == ("a.txt",)
    assert "<<<<<<<" in (repo / "a.txt").read_text()


async def test_binary_files_and_names_with_spaces_are_applied(repo: Path) -> None:
    """What is no text comes over byte by byte."""
    worktrees = await begin(repo)
    async with worktrees.workspace("api") as space:
        (space.path / "an image ä.bin").write_bytes(bytes(range(256)))
    assert space.changes is not None
    assert space.changes.files == ("an image ä.bin",)
    await apply_changes(repo, [space.changes])
    assert (repo / "an image ä.bin").read_bytes() == bytes(range(256))
