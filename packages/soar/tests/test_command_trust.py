"""`aurora-soar trust`, and what runs do with a project's file before and after it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar.trust import Trust

if TYPE_CHECKING:
    Command = Any

DEPLOYER = "---\nname: deployer\nhooks: {Stop: [./x.sh]}\n---\nYou deploy.\n"


@pytest.fixture
def project(soar: Command) -> Any:
    """A repository below the home folder, whose settings and one of whose agents wait."""
    project = soar.folder / "project"
    (project / ".claude/agents").mkdir(parents=True)
    (project / ".git").mkdir()
    (project / "aurora.toml").write_text('jobs = 1\npass_env = ["TOKEN"]\n')
    (project / ".claude/agents/deployer.md").write_text(DEPLOYER)
    (project / ".claude/agents/critic.md").write_text("---\nname: critic\n---\nx")
    return project


LISTED = """\
aurora.toml
  pass_env = ["TOKEN"]
.claude/agents/deployer.md
  hooks: {"Stop": ["./x.sh"]}
"""


def test_f71_what_waits_is_listed_and_nobody_is_trusted_unasked(
    soar: Command, project: Any
) -> None:
    """F71: without a terminal and without `-y` the files and what they name are shown, and it is
    exit 2."""
    ended = soar.run("trust", cwd=project, stdin=subprocess.DEVNULL)
    assert (ended.code, ended.out) == (2, LISTED)
    assert ended.err == ("aurora-soar: nobody can be asked here; to trust what is listed: add -y\n")
    assert not [*soar.folder.rglob("trusted.json")]


def test_f71_a_trusted_file_is_used_until_it_changes(soar: Command, project: Any) -> None:
    """F71: after `trust` its settings hold; once it changes it is untrusted again, and named."""
    ended = soar.run("trust", "-y", cwd=project)
    assert (ended.code, ended.out) == (0, f"{LISTED}2 files trusted\n")
    ended = soar.run("config", cwd=project)
    assert ended.err == ""
    assert ["pass_env", "TOKEN", "aurora.toml:2"] in [
        line.split() for line in ended.out.splitlines()
    ]
    with (project / "aurora.toml").open("a") as file:
        file.write("# changed\n")
    assert soar.run("config", cwd=project).err == (
        'aurora.toml:2: "pass_env" is not used: the file has changed since you trusted it; look '
        "again: aurora-soar trust aurora.toml\n"
    )
    ended = soar.run("trust", cwd=project, stdin=subprocess.DEVNULL)
    assert ended.out == (
        'aurora.toml (it has changed since you trusted it)\n  pass_env = ["TOKEN"]\n'
    )


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"\n", 1)])
def test_on_a_terminal_the_user_is_asked(
    soar: Command, project: Any, answer: bytes, code: int
) -> None:
    """A yes trusts, and nothing else does."""
    ours, its = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        process = soar.start("trust", cwd=project, stdin=its)
        os.close(its)
        terminal.write(answer)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Trust these 2 files? [y/N]" in err
    trusted = Trust(soar.folder / ".local/state/aurora").files
    assert len(trusted) == (2 if code == 0 else 0)


def test_trust_is_listed_and_revoked(soar: Command, project: Any) -> None:
    """The list has every file with what became of it; a revoked one waits again."""
    deployer = project / ".claude/agents/deployer.md"
    trust = Trust(soar.folder / ".local/state/aurora")
    trust.add({project / "aurora.toml": b"jobs = 7", deployer: b""}, "2026-01-02T03:04:05Z")
    deployer.unlink()
    data = json.loads(soar.run("trust", "--list", "--json").out)
    assert data["v"] == 1
    assert {each["file"]: each["state"] for each in data["files"]} == {
        str(project / "aurora.toml"): "changed",
        str(deployer): "gone",
    }
    ended = soar.run("trust", "--revoke", "aurora.toml", cwd=project)
    assert (ended.code, ended.out) == (0, "aurora.toml is trusted no longer\n")
    again = soar.run("trust", "--revoke", "aurora.toml", cwd=project)
    assert again.code == 2
    assert again.err.startswith('aurora-soar: "aurora.toml" is not trusted; what is: ')
    listed = [line.split() for line in soar.run("trust", "--list").out.splitlines()]
    assert listed == [["FILE", "SINCE", "STATE"], [str(deployer), "2026-01-02T03:04:05Z", "gone"]]


def test_only_what_could_wait_can_be_trusted(soar: Command, project: Any) -> None:
    """Any other file is refused with a guess; an agent that names nothing harmful needs none."""
    ended = soar.run("trust", "-y", "aurora.tom", cwd=project)
    assert ended.code == 2
    assert 'Did you mean "aurora.toml"?' in ended.err
    ended = soar.run("trust", "-y", ".claude/agents/critic.md", cwd=project)
    assert (ended.code, ended.out) == (0, "nothing of what you name waits for trust\n")


def test_f71_where_trust_cannot_be_read_nobody_is_trusted(soar: Command, project: Any) -> None:
    """F71: a damaged file is told once, and runs go on as if nobody was trusted."""
    state = soar.folder / ".local/state/aurora"
    Trust(state).add({project / "aurora.toml": b""}, "2026-01-02T03:04:05Z")
    (state / "trusted.json").write_text("{")
    ended = soar.run("config", cwd=project)
    assert ended.code == 0
    assert ended.err.startswith("aurora-soar: nothing of the project is trusted: ")
    assert '"pass_env" is not used until you trust the file' in ended.err
    ended = soar.run("trust", "-y", cwd=project)
    assert ended.code == 74
    assert "is damaged; to begin anew, remove it" in ended.err
