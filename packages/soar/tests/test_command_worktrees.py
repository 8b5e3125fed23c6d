"""Agents that may write, in git worktrees, from the command line to `apply`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    Command = Any

# A claude that does with a file what it is asked for, and says where it is.
CLAUDE = r"""
    prompt=$(cat)
    case "$prompt" in
        *"write "*)
            file=$(printf '%s' "$prompt" | sed -n 's/.*write \([a-z.]*\).*/\1/p' | tail -n 1)
            echo "by an agent" >> "$file";;
        *"spoil once"*) [ -e ../../../../spoiled ] || { echo half >> base.txt
            touch ../../../../spoiled; exit 1; };;
        *"spoil"*) echo half >> base.txt; exit 1;;
        *"look"*) said=$(cat base.txt one.txt 2>&1 | tr '\n' ' ');;
    esac
    printf '{"type":"result","subtype":"success","is_error":false,"result":"%s %s"}\n' \
        "$(pwd)" "$said"
"""

PLAN = """
    name = "writers"
    defaults = {{ retries = {retries} }}
    [agents.coder]
    tool = "claude"
    [[subgoals]]
    id = "one"
    agent = "coder"
    description = "write one.txt"
    [[subgoals]]
    id = "two"
    agent = "coder"
    description = "{two}"
    [[subgoals]]
    id = "after"
    agent = "coder"
    description = "look around"
    depends_on = ["one"]
"""


def git(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return ended.stdout.strip()


@pytest.fixture
def repo(soar: Command) -> Command:
    """The command in a repository with one commit, git and a claude on PATH."""
    for name in ("git", "pwd", "sed", "tail"):
        found = shutil.which(name)
        assert found is not None
        (soar.folder / "bin" / name).symlink_to(found)
    soar.program("claude", CLAUDE)
    (soar.folder / "base.txt").write_text("base\n")
    git(soar.folder, "init", "--quiet", "--initial-branch=main")
    git(soar.folder, "add", "base.txt")
    git(soar.folder, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "first")
    return soar


def plan(repo: Command, two: str = "write two.txt", retries: int = 0) -> str:
    return str(repo.plan(PLAN.format(two=two, retries=retries)))


def by_id(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in results["subgoals"]}


def test_agents_that_may_write_and_overlap_get_worktrees(repo: Command) -> None:
    """It is said aloud, the user's tree stays as it is, and whoever builds on them sees it."""
    ended = repo.run("run", plan(repo), "--permissions", "workspace-write", "--json")
    results = by_id(json.loads(ended.out))
    assert ended.code == 0
    assert ended.err.startswith("agents that may write work in git worktrees of their own, from ")
    assert "Changes: 2 files changed by one, two; take them over: aurora-soar apply" in ended.err
    run = json.loads(ended.out)["run"]
    trees = repo.folder / ".aurora" / "worktrees" / run
    assert results["one"]["output"].split()[0] == str(trees / "one-1")
    assert results["two"]["output"].split()[0] == str(trees / "two-1")
    assert results["after"]["output"].split() == [
        *(str(trees / "after-1"), "base", "by", "an", "agent"),
    ]
    assert git(repo.folder, "status", "--porcelain", "--untracked-files=no") == ""
    assert not (repo.folder / "one.txt").exists()
    assert sorted(path.name for path in trees.iterdir()) == ["one-1", "two-1"]


def test_readers_and_lonely_writers_work_where_we_stand(repo: Command) -> None:
    """Without permission to write, or one at a time, nobody is isolated, unless a flag says so."""
    here = str(repo.folder)
    for flags in (
        ["--permissions", "read-only"],
        ["--permissions", "workspace-write", "-j", "1"],
        ["--permissions", "workspace-write", "--isolation", "none"],
    ):
        _, results = repo.results(plan(repo), *flags)
        assert by_id(results)["two"]["output"].split()[0] == here
    _, results = repo.results(plan(repo), "--isolation", "worktree")
    assert by_id(results)["two"]["output"].split()[0] != here


def test_a_retry_begins_with_a_clean_tree(repo: Command) -> None:
    """What a failed attempt left is on a branch of its own, and not in the answer's changes."""
    code, results = repo.results(
        plan(repo, two="spoil once", retries=1), "--permissions", "workspace-write"
    )
    assert (code, by_id(results)["two"]["attempts"]) == (0, 2)
    run = results["run"]
    branches = git(repo.folder, "branch", "--format=%(refname:short)").splitlines()
    assert branches == [f"aurora-earlier/{run}/two/1", f"aurora/{run}/one", "main"]


def test_changes_are_applied(repo: Command) -> None:
    """`apply` stages what subgoals that succeeded have changed, of the latest run or another."""
    _, results = repo.results(
        plan(repo, two="spoil"), "--permissions", "workspace-write", "--no-fallback"
    )
    shown = repo.run("apply", "-n")
    assert shown.code == 0
    assert not (repo.folder / "one.txt").exists()
    ended = repo.run("apply", results["run"][:3])
    assert (ended.code, ended.out) == (0, shown.out)
    assert f"one  aurora/{results['run']}/one\n   one.txt | 1 +\n" in ended.out
    assert (repo.folder / "one.txt").read_text() == "by an agent\n"
    assert (repo.folder / "base.txt").read_text() == "base\n"
    assert git(repo.folder, "diff", "--cached", "--name-only") == "one.txt"


def test_what_cannot_be_applied_is_refused_with_the_way_out(repo: Command) -> None:
    """A dirty file in the way, a failed subgoal, an unknown one, and no run at all."""
    ended = repo.run("apply")
    assert (ended.code, ended.out) == (2, "")
    assert "no run is kept" in ended.err
    _, results = repo.results(
        plan(repo, two="spoil"), "--permissions", "workspace-write", "--no-fallback"
    )
    run = results["run"]
    (repo.folder / "one.txt").write_text("mine\n")
    for arguments, told in (
        ([], "what you have not committed is in the way: one.txt; commit it, or put it aside"),
        ([run, "two"], f'"two" has not succeeded; what it left is in the branch aurora/{run}/two'),
        ([run, "after"], '"after" changed nothing in a worktree'),
        ([run, "tow"], f'run {run} has no subgoal "tow". Did you mean "two"?'),
    ):
        ended = repo.run("apply", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert told in ended.err
    assert (repo.folder / "one.txt").read_text() == "mine\n"


def test_resume_builds_on_what_is_kept(repo: Command) -> None:
    """F54: a subgoal that runs again begins with the changes of one whose result is kept."""
    _, results = repo.results(plan(repo), "--permissions", "workspace-write", "-q")
    ended = repo.run("resume", "--redo", "after", "-q", "--json")
    again = by_id(json.loads(ended.out))
    assert again["after"]["output"].split()[1:] == ["base", "by", "an", "agent"]
    assert repo.run("apply", results["run"], "one").code == 0


def test_where_there_can_be_no_worktree(soar: Command) -> None:
    """Asked for outside of a repository it is an error; by default writers share the folder."""
    soar.program("claude", CLAUDE)
    for name in ("pwd", "sed", "tail"):
        (soar.folder / "bin" / name).symlink_to(shutil.which(name) or "")
    ended = soar.run("run", plan(soar), "--isolation", "worktree")
    assert ended.code == 2
    assert ended.err.endswith("is in no git repository: git init, or --isolation none\n")
    code, results = soar.results(plan(soar), "--permissions", "workspace-write")
    assert code == 0
    assert by_id(results)["two"]["output"].split()[0] == str(soar.folder)
    subprocess.run(["git", "init", "--quiet"], cwd=soar.folder, check=True)
    ended = soar.run("run", plan(soar), "--permissions", "workspace-write", "-q")
    assert ended.code == 0
    assert ended.err.startswith("agents that may write share this folder: ")


def test_changes_are_shown_as_a_patch(repo: Command) -> None:
    """`show --diff` prints what subgoals changed, as a patch that git applies."""
    _, results = repo.results(plan(repo), "--permissions", "workspace-write")
    whole = repo.run("show", "--diff").out
    assert "+++ b/one.txt" in whole
    assert "+++ b/two.txt" in whole
    one = repo.run("show", results["run"], "one", "--diff").out
    assert "two.txt" not in one
    subprocess.run(["git", "apply"], cwd=repo.folder, check=True, input=one, text=True)
    assert (repo.folder / "one.txt").read_text() == "by an agent\n"
    ended = repo.run("show", results["run"], "after", "--diff")
    assert (ended.code, ended.out) == (2, "")
    assert "nothing was changed in a worktree by after" in ended.err


def test_check_says_who_gets_a_worktree_and_why(repo: Command) -> None:
    """`check` and `run -n` name who would work in a worktree, and the reason, before it starts."""
    flags = ("--permissions", "workspace-write")
    checked = repo.run("check", plan(repo), *flags)
    assert checked.out.split("\nWorktrees\n")[1].splitlines() == [
        "  one    may write at the same time as two",
        "  two    may write at the same time as one, after",
        "  after  may write at the same time as two",
    ]
    assert repo.run("run", plan(repo), *flags, "-n").out == checked.out
    assert "Worktrees" not in repo.run("check", plan(repo)).out
    asked = repo.run("check", plan(repo), "--isolation", "worktree").out
    assert "  one    isolation is asked for\n" in asked
    shutil.rmtree(repo.folder / ".git")
    assert "as two; but this is no git repository\n" in repo.run("check", plan(repo), *flags).out


def test_changes_stand_wherever_a_run_is_told(repo: Command) -> None:
    """Branch and files are in the results, kept ones of a resumed run too, and in what is shown."""
    ended = repo.run("run", plan(repo), "--permissions", "workspace-write", "--json")
    results = json.loads(ended.out)
    run = results["run"]
    changes = by_id(results)["one"]["changes"]
    assert (changes["branch"], changes["files"]) == (f"aurora/{run}/one", ["one.txt"])
    assert git(repo.folder, "rev-parse", changes["branch"]) == changes["commit"]
    assert by_id(results)["after"]["changes"] is None
    (line,) = [each for each in ended.err.splitlines() if " OK  one " in each]
    assert line.endswith(" 1 file changed")
    again = json.loads(repo.run("resume", run, "--redo", "two", "--json").out)
    assert again["kept"] == 2
    assert by_id(again)["one"]["changes"] == changes
    shown = repo.run("show", run, "one").out.splitlines()
    assert f"  1 file changed in the branch aurora/{run}/one" in shown
    assert "    one.txt" in shown
