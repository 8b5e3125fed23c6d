"""`aurora-soar agents`, and plans that name agents of definition files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aurora_soar.trust import Trust

if TYPE_CHECKING:
    Command = Any

# A claude that says which model it was given and what it was asked.
CLAUDE = """
    if [ "$1" = --version ]; then echo "2.1.197 (Claude Code)"; exit; fi
    printf '{"type":"result","subtype":"success","is_error":false,"result":"%s: %s"}\\n' \\
        "$*" "$(tr '\\n' ' ')"
"""

CRITIC = "---\nname: critic\ndescription: To judge.\nmodel: opus\n---\nBe harsh.\n"
DEPLOYER = "---\nname: deployer\npermissionMode: bypassPermissions\n---\nYou deploy.\n"

PLAN = """
    [[subgoals]]
    id = "a"
    agent = "critic"
    description = "Look at it."
"""


def file(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def project(soar: Command) -> Path:
    """A project below the home folder, with agents in it and at home."""
    project: Path = soar.folder / "project"
    file(project, ".claude/agents/critic.md", CRITIC)
    file(project, ".claude/agents/deployer.md", DEPLOYER)
    file(project, ".claude/agents/bad.md", "---\nname: !!python/name:os.system\n---\nx")
    file(soar.folder, ".codex/agents/critic.toml", 'name = "critic"\ndescription = "Mine."\n')
    file(soar.folder, ".github/agents/guide.agent.md", "---\ndescription: x\n---\n\x1b[31mHi.")
    return project


def test_agents_are_listed_with_where_they_come_from(soar: Command, project: Path) -> None:
    """A row for each: name, tool, file, and whether it is shadowed or waits for trust; a broken
    file is named on standard error and changes nothing; `--probe` tells which CLIs are here."""
    ended = soar.run("agents", "--probe", cwd=project)
    assert ended.code == 0
    agents, _, tools = ended.out.partition("\n\n")
    assert tools.splitlines()[1].split()[:3] == ["claude", "-", "missing"]
    assert [line.split(maxsplit=3) for line in agents.splitlines()] == [
        ["NAME", "TOOL", "FILE"],
        ["critic", "claude", ".claude/agents/critic.md"],
        ["critic", "codex", "~/.codex/agents/critic.toml", "shadowed by .claude/agents/critic.md"],
        ["deployer", "claude", ".claude/agents/deployer.md", "waits: aurora-soar trust"],
        ["guide", "-", "~/.github/agents/guide.agent.md"],
    ]
    assert ended.err == (
        '.claude/agents/bad.md:2: the YAML tag "tag:yaml.org,2002:python/name:os.system" is '
        "refused: it makes objects; skipped\n"
    )
    empty = soar.run("agents", cwd=soar.folder / "bin", env={"HOME": "/nowhere"})
    assert (empty.code, empty.err) == (0, "")
    assert empty.out.startswith("no agent is defined here or in your home (looked into .claude/")


def test_an_agent_is_explained(soar: Command, project: Path) -> None:
    """`agents show` tells file, purpose, model, what is shadowed and why, and the persona."""
    ended = soar.run("agents", "show", "critic", cwd=project)
    assert (ended.code, ended.err) == (0, "")
    about, _, persona = ended.out.partition("\n\n")
    assert [line.split(maxsplit=1) for line in about.splitlines()] == [
        ["name", "critic"],
        ["tool", "claude"],
        ["model", "opus"],
        ["file", ".claude/agents/critic.md (of this project)"],
        ["when", "To judge."],
        ["shadows", "~/.codex/agents/critic.toml (a project's agents come before yours)"],
    ]
    assert persona == "Be harsh.\n"


def test_f9_a_persona_is_shown_without_what_a_terminal_would_obey(
    soar: Command, project: Path
) -> None:
    """F9: control characters of a file are visible, and who answers for copilot's is told."""
    out = soar.run("agents", "show", "guide", cwd=project).out
    assert "whoever answers by default: copilot has no adapter" in out
    assert "\x1b" not in out
    assert "[31mHi." in out


def test_an_agent_that_is_not_there(soar: Command, project: Path) -> None:
    """A name that no file defines is exit 2, with what is wrong with a file called like it."""
    ended = soar.run("agents", "show", "bad", cwd=project)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(".claude/agents/bad.md:2: the YAML tag")
    assert 'no agent file defines "bad".' in ended.err


def test_agents_as_data(soar: Command, project: Path) -> None:
    """`--json` has every agent with its file, what it shadows and whether it can be used, what was
    skipped, and with `--probe` the tools."""
    soar.program("claude", CLAUDE)
    data = json.loads(soar.run("agents", "--json", "--probe", cwd=project).out)
    assert data["v"] == 1
    critic, deployer, guide = data["agents"]
    assert critic["file"] == str(project / ".claude/agents/critic.md")
    assert critic["shadows"] == [str(soar.folder / ".codex/agents/critic.toml")]
    assert (critic["scope"], critic["usable"], critic["purpose"]) == ("project", True, "To judge.")
    assert deployer["demands"] == ['permissionMode: "bypassPermissions"']
    assert (deployer["usable"], guide["tool"]) == (False, None)
    assert [each["line"] for each in data["skipped"]] == [2]
    claude, *others = data["tools"]
    assert (claude["name"], claude["state"], claude["version"]) == ("claude", "tested", "2.1.197")
    assert {each["state"] for each in others} == {"missing", "built-in"}


def test_a_plan_names_an_agent_without_writing_it(soar: Command, project: Path) -> None:
    """Tool, model and persona of the file reach the CLI; `check` tells which file that is."""
    soar.program("claude", CLAUDE)
    soar.plan(PLAN, "project/plan.toml")
    assert ", of .claude/agents/critic.md" in soar.run("check", "plan.toml", cwd=project).out
    code, results = soar.results("plan.toml", cwd=project)
    (subgoal,) = results["subgoals"]
    assert (code, subgoal["tool"]) == (0, "claude")
    assert "--model=opus" in subgoal["output"]
    assert "Be harsh." in subgoal["output"]
    file(project, ".claude/agents/critic.md", CRITIC.replace("harsh", "kind"))
    again = json.loads(soar.run("resume", "--json", "-q", cwd=project).out)
    assert "Be kind." in again["subgoals"][0]["output"]


def test_a_model_means_nothing_to_another_tool(soar: Command, project: Path) -> None:
    """With `--tool` the agent answers through that one, without the model of its own."""
    soar.program("claude", CLAUDE)
    plan = soar.plan(PLAN.replace('"critic"', '"mine"'), "project/plan.toml").split("/")[-1]
    file(soar.folder, ".codex/agents/mine.toml", 'description = "Mine."\nmodel = "o9"\n')
    _, results = soar.results(plan, "--tool", "claude", cwd=project)
    assert "Mine." in results["subgoals"][0]["output"]
    assert "o9" not in results["subgoals"][0]["output"]


def test_f71_a_plan_does_not_run_with_an_agent_that_waits(soar: Command, project: Path) -> None:
    """F71: an agent of a project's file that asks for more is an error of the plan until that file
    is trusted; then it is used, and what it asks for is not given."""
    soar.program("claude", CLAUDE)
    soar.plan(PLAN.replace("critic", "deployer"), "project/plan.toml")
    ended = soar.run("run", "plan.toml", cwd=project)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        'plan.toml:4: agent "deployer" is not used until you trust the file: '
        "aurora-soar trust .claude/agents/deployer.md\n"
    )
    Trust(soar.folder / ".local/state/aurora").add(
        {project / ".claude/agents/deployer.md": DEPLOYER.encode()}, "2026-01-02T03:04:05Z"
    )
    code, results = soar.results("plan.toml", cwd=project)
    assert code == 0
    assert "You deploy." in results["subgoals"][0]["output"]
    assert "bypass" not in results["subgoals"][0]["output"]


def test_whoever_names_an_agent_with_a_broken_file_is_told(soar: Command, project: Path) -> None:
    """A broken file is named where a plan asks for the agent that is called like it."""
    soar.plan(PLAN.replace("critic", "bad"), "project/plan.toml")
    ended = soar.run("check", "plan.toml", "--tool", "extract", cwd=project)
    assert ended.code == 0
    assert ended.err.startswith(".claude/agents/bad.md:2: ")
    assert "adhoc" in ended.out
