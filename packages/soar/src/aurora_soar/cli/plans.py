"""From what was asked for to what runs: the plan with the flags in it, and who answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import typer

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_soar.cli.agents_here import AgentsHere, agents_here
from aurora_soar.cli.preflight import Answerer, answerers, chosen_tool, fallbacks, missing
from aurora_soar.cli.streams import complain
from aurora_soar.config import Configuration
from aurora_soar.phases import Choice, choose_agent
from aurora_soar.plan import Plan, PlanError, UnknownSubgoalError, load_plan, select
from aurora_soar.runs import RunRequest
from aurora_spawner import ExitCode

__all__ = ["Prepared", "prepare_or_exit", "tell_missing"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan that is ready to run.

    Attributes:
        plan: The plan, with the flags in the places of what they win over.
        chosen_tool: Who answers for agents that name no tool.
        answerers: Who answers for each subgoal.
        others: Who answers for the agents that are named as a fallback.
        here: The agents that there are beside those of the plan.
        choices: Who was chosen for subgoals for which the plan names nobody, by their ids.
    """

    plan: Plan
    chosen_tool: str | None
    answerers: Sequence[Answerer]
    others: Sequence[Answerer]
    here: AgentsHere
    choices: Mapping[str, Choice]

    @property
    def agents(self) -> list[AgentInfo]:
        """The agent of each subgoal."""
        return [each.agent for each in self.answerers]

    @property
    def registry(self) -> AgentRegistry:
        """The agents that others name as their fallback."""
        return AgentRegistry(each.agent for each in self.others)

    def borrowed_from(self, agent_id: str) -> str:
        """The file of an agent that the plan names and has not itself; empty for any other."""
        if agent_id not in self.plan.borrowed:
            return ""
        return self.here.roster.agents[agent_id].shown


def prepare_or_exit(request: RunRequest, found: Configuration) -> Prepared:
    """Load what was asked for; ends here, with every reason, if it cannot be run.

    Args:
        request: What was asked for; it wins over the plan.
        found: The settings; what files say is for where the plan says nothing.
    """
    here = agents_here()
    plan = _plan(request, here).filled(
        max_concurrent=found.suggested("jobs"),
        timeout=found.suggested("timeout"),
        retries=found.suggested("retries"),
        budget_usd=found.suggested("budget"),
        isolation=found.suggested("isolation"),
    )
    choices = _choices(plan)
    plan = plan.given({name: choice.agent.id for name, choice in choices.items()})
    chosen = chosen_tool(request.tool or found.settings.tool)
    prepared = Prepared(
        plan,
        chosen,
        [_with_variables(each, found) for each in answerers(plan, request.tool, chosen)],
        [_with_variables(each, found) for each in fallbacks(plan, request.tool, chosen)],
        here,
        choices,
    )
    # Whoever names an agent whose file is broken should not wonder.
    for broken in here.broken(each.agent.id for each in prepared.answerers if each.agent.is_adhoc):
        complain(f"{broken}; skipped")
    return prepared


def _choices(plan: Plan) -> dict[str, Choice]:
    """Who gets the subgoals for which the plan names nobody, by their ids."""
    registry = plan.registry()
    return {
        each.id: choose_agent(registry, name=each.id, description=each.description or "")
        for each in plan.subgoals
        if not plan.names_agent(each)
    }


def _with_variables(answerer: Answerer, found: Configuration) -> Answerer:
    """With what settings say of the variables of agents, where the agent says nothing."""
    if found.settings.env is None:
        return answerer
    said = {"env": found.settings.env, "pass_env": found.settings.pass_env}
    agent = answerer.agent
    return replace(answerer, agent=replace(agent, config={**said, **agent.config}))


def _plan(request: RunRequest, here: AgentsHere) -> Plan:
    try:
        whole = load_plan(request.plan_file, here.agents, here.refused)
        plan = select(whole, only=request.only, skip=request.skip)
    except PlanError as error:
        for problem in error.problems:
            complain(str(problem))
        raise typer.Exit(ExitCode.USAGE) from None
    except UnknownSubgoalError as error:
        complain(f"{request.plan_file}: {error}")
        raise typer.Exit(ExitCode.USAGE) from None
    return plan.adjusted(
        max_concurrent=request.jobs,
        retries=request.retries,
        timeout=request.timeout,
        budget_usd=request.budget_usd,
        isolation=request.isolation,
        fail_fast=request.fail_fast,
    )


def tell_missing(prepared: Prepared) -> bool:
    """Complain of every agent CLI that is needed and not there; whether there was any."""
    lines = list(missing([*prepared.answerers, *prepared.others]))
    for line in lines:
        complain(line)
    return bool(lines)
