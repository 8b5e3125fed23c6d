"""Agents that a plan names without writing them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from aurora_soar import AgentInfo
from aurora_soar.plan import Plan, PlanError, load_plan

KNOWN = {
    "critic": AgentInfo("critic", "Be harsh.", {"tool": "claude", "model": "opus"}, "To judge."),
    "idle": AgentInfo("idle", "Nobody asks."),
}
REFUSED = {"deployer": "is not used until you trust the file: aurora-soar trust d.md"}


def load(folder: Path, text: str) -> Plan:
    path = folder / "plan.toml"
    path.write_text(dedent(text))
    return load_plan(path, KNOWN, REFUSED)


def test_an_agent_is_named_without_being_written(tmp_path: Path) -> None:
    """By a subgoal's agent, the default or the subgoal's id: tool, persona and model are there, and
    whoever is not named is not in the plan."""
    for text in (
        '[[subgoals]]\nid = "a"\nagent = "critic"\ndescription = "x"',
        'defaults = { agent = "critic" }\n[[subgoals]]\nid = "a"\ndescription = "x"',
        '[[subgoals]]\nid = "critic"\ndescription = "x"',
    ):
        plan = load(tmp_path, text)
        agent = plan.registry().resolve(plan.agent_id(plan.subgoals[0]))
        assert (agent.description, agent.config) == (
            "Be harsh.",
            {"tool": "claude", "model": "opus"},
        )
        assert (set(plan.agents), plan.borrowed) == ({"critic"}, {"critic"})
        assert plan.adjusted(retries=1).filled(retries=2).borrowed == {"critic"}


def test_the_plans_own_agents_win(tmp_path: Path) -> None:
    """An agent that the plan writes is its own, whatever there is elsewhere, refused or not."""
    plan = load(
        tmp_path,
        """
        [agents.critic]
        command = ["cat"]
        [agents.deployer]
        command = ["ls"]
        [[subgoals]]
        id = "critic"
        [[subgoals]]
        id = "deployer"
        """,
    )
    assert plan.registry().resolve("critic").config == {"command": ("cat",)}
    assert not plan.borrowed


def test_bases_and_fallbacks_are_named_too(tmp_path: Path) -> None:
    """An own agent can build on one from elsewhere, with another tool, or fall back to it."""
    plan = load(
        tmp_path,
        """
        [agents.mine]
        base = "critic"
        tool = "codex"
        [agents.other]
        command = ["ls"]
        fallback = "critic"
        [[subgoals]]
        id = "mine"
        description = "x"
        """,
    )
    mine = plan.registry().resolve("mine")
    assert (mine.description, mine.config) == ("Be harsh.", {"tool": "codex"})


def test_f71_one_that_waits_for_trust_is_an_error_with_its_line(tmp_path: Path) -> None:
    """F71: nobody takes the place of an agent that must not be used; the plan's other errors are
    told in the same pass."""
    with pytest.raises(PlanError) as raised:
        load(
            tmp_path,
            """
            [agents.mine]
            base = "deployer"
            [[subgoals]]
            id = "a"
            agent = "deployer"
            description = "x"
            retry = 1
            """,
        )
    assert [str(each).partition("plan.toml")[2] for each in raised.value.problems] == [
        ':6: agent "deployer" is not used until you trust the file: aurora-soar trust d.md',
        ':8: unknown key "retry" in subgoal "a". Did you mean "retries"?',
    ]


@pytest.mark.parametrize(
    "text", ["agents = 3", "subgoals = 3", "subgoals = [3]", "[agents]\na = 3", "defaults = 3"]
)
def test_a_plan_that_is_none_is_told_as_ever(tmp_path: Path, text: str) -> None:
    """What is no table is passed over while agents are looked for, and refused after that."""
    with pytest.raises(PlanError):
        load(tmp_path, text)
