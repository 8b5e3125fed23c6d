"""`aurora-soar init`, and commands that are given no plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Command = Any


def test_from_nothing_to_a_green_run_without_any_agent_cli(soar: Command) -> None:
    """Every step is what the one before says: help, init, check, and a run that needs no model."""
    help_text = soar.run("--help").out
    assert "aurora-soar init  " in help_text
    told = soar.run("init")
    assert (told.code, told.err) == (0, "")
    assert "No agent CLI is on PATH (looked for claude, codex, gemini, opencode, llm)" in told.out
    last = told.out.splitlines()[-1]
    assert last == "Without a model: aurora-soar run plan.toml --tool extract"
    assert soar.run("check", "plan.toml", "--tool", "extract").code == 0
    code, results = soar.results(*last.split("aurora-soar run ")[1].split())
    assert (code, results["totals"]["ok"], results["totals"]["by_fallback"]) == (0, 4, 0)


def test_the_plan_is_for_what_is_here(soar: Command) -> None:
    """The CLIs on PATH, the tests of the folder and the agents that the user has are named."""
    for name in ("codex", "llm", "make"):
        soar.program(name, "exit 1")
    (soar.folder / "Makefile").write_text("test:\n\ttrue\n")
    (soar.folder / ".codex" / "agents").mkdir(parents=True)
    (soar.folder / ".codex" / "agents" / "critic.toml").write_text('description = "x"\n')
    told = soar.run("init").out
    assert "programs ls and make test, agents by codex and llm" in told
    assert "Agents you have, for the plan by name: critic\n" in told
    said = soar.run("check", "plan.toml").out
    assert ["tester", "program", "make", "test"] in [line.split() for line in said.splitlines()]


def test_a_plan_that_is_there_is_never_touched(soar: Command) -> None:
    """Where the name is taken, also by a link that leads nowhere, it is exit 2 with the way on."""
    soar.plan("# mine")
    ended = soar.run("init")
    assert (ended.code, ended.out) == (2, "")
    assert "plan.toml is there already; run it: aurora-soar run plan.toml" in ended.err
    assert (soar.folder / "plan.toml").read_text() == "# mine"
    (soar.folder / "plan.toml").unlink()
    (soar.folder / "plan.toml").symlink_to("elsewhere")
    assert soar.run("init").code == 2
    assert not (soar.folder / "elsewhere").exists()


def test_without_a_plan_what_to_type_is_told(soar: Command) -> None:
    """F71: no plan is taken unasked, since it names programs: it is exit 2 with the way on."""
    told = "aurora-soar: there is no plan here; write a first one: aurora-soar init\n"
    assert soar.run("run") == (2, "", told)
    soar.plan('[agents.a]\ncommand = ["touch", "harm"]\n[[subgoals]]\nid = "a"\n')
    told = "aurora-soar: name the plan: aurora-soar run plan.toml\n"
    assert soar.run("run") == (2, "", told)
    assert not (soar.folder / "harm").exists()
    assert soar.run("check").err == told.replace("run plan", "check plan")
