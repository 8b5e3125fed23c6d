"""Subgoals that name no agent, from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Command = Any

PLAN = """
    name = "matched"
    [agents.architect]
    description = "Security architect: sessions, cookies and tokens."
    [agents.dba]
    description = "Databases: schemas, migrations and slow queries."
    [agents.suite]
    command = ["echo", "cookies and tokens"]
    description = "Tests cookies and tokens."
    [[subgoals]]
    id = "survey"
    description = "Map where cookies and tokens are kept."
    [[subgoals]]
    id = "shed"
    description = "Paint the shed."
    [[subgoals]]
    id = "dba"
    description = "Which cookies and tokens are in a table?"
    [[subgoals]]
    id = "named"
    agent = "cookie-critic"
    description = "What of cookies and tokens?"
"""


def test_the_agent_that_fits_gets_a_subgoal(soar: Command) -> None:
    """A subgoal goes to the agent it names, to that of its name, to one that fits, or is adhoc."""
    code, results = soar.results(soar.plan(PLAN), "--tool", "extract")
    assert code == 0
    agents = {each["id"]: each["agent"] for each in results["subgoals"]}
    assert agents == {"survey": "architect", "shed": "shed", "dba": "dba", "named": "cookie-critic"}
    outputs = {each["id"]: each["output"] for each in results["subgoals"]}
    assert "Security architect: sessions" in outputs["survey"]
    assert "act as a specialist: shed." in outputs["shed"]
    assert "act as a specialist: cookie critic." in outputs["named"]


def test_check_says_who_was_matched_and_why(soar: Command) -> None:
    """`check` and `run -n` tell the words in common, the score and the one that was needed."""
    checked = soar.run("check", soar.plan(PLAN), "--tool", "extract")
    assert checked.code == 0
    assert "  survey  by architect      at once" in checked.out
    survey, shed, *rest = checked.out.split("\nMatching\n")[1].splitlines()
    assert rest == []
    # One of two agents has each word, once, in a text of average length: twice ln 2.
    assert survey == (
        "  survey  to architect  cookies, tokens: 1.39, from 1.04 on it fits; next dba 0.00"
    )
    assert shed == "  shed    adhoc         no agent has a word of it"
    assert soar.run("run", soar.plan(PLAN), "--tool", "extract", "-n").out == checked.out


def test_a_default_agent_leaves_nothing_to_match(soar: Command) -> None:
    """Where `defaults` name an agent, it gets whatever names nobody, and nothing is compared."""
    plan = soar.plan('defaults.agent = "dba"\n' + "\n".join(map(str.strip, PLAN.splitlines())))
    checked = soar.run("check", plan, "--tool", "extract").out
    assert "  survey  by dba " in checked
    assert "Matching" not in checked


def test_a_resumed_run_gives_subgoals_to_the_same_agents(soar: Command) -> None:
    """What was matched is matched again: a finished answer is kept, and not paid for twice."""
    _, results = soar.results(soar.plan(PLAN), "--tool", "extract")
    said = soar.run("resume", results["run"], "-n", "--tool", "extract").out
    assert f"run {results['run']}: keeps 4, runs 0\n" in said
