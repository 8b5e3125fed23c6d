"""From what was asked for to what runs: the plan with the flags in it, and who answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import typer

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_soar.cli.preflight import Answerer, answerers, chosen_tool, fallbacks, missing
from aurora_soar.cli.streams import complain
from aurora_soar.config import Configuration
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
    """

    plan: Plan
    chosen_tool: str | None
    answerers: Sequence[Answerer]
    others: Sequence[Answerer]

    @property
    def agents(self) -> list[AgentInfo]:
        """The agent of each subgoal."""
        return [each.agent for each in self.answerers]

    @property
    def registry(self) -> AgentRegistry:
        """The agents that others name as their fallback."""
        return AgentRegistry(each.agent for each in self.others)


def prepare_or_exit(request: RunRequest, found: Configuration) -> Prepared:
    """Load what was asked for; ends here, with every reason, if it cannot be run.

    Args:
        request: What was asked for; it wins over the plan.
        found: The settings; what files say is for where the plan says nothing.
    """
    plan = _plan(request).filled(
        max_concurrent=found.suggested("jobs"),
        timeout=found.suggested("timeout"),
        retries=found.suggested("retries"),
        budget_usd=found.suggested("budget"),
        isolation=found.suggested("isolation"),
    )
    chosen = chosen_tool(request.tool or found.settings.tool)
    return Prepared(
        plan,
        chosen,
        [_with_variables(each, found) for each in answerers(plan, request.tool, chosen)],
        [_with_variables(each, found) for each in fallbacks(plan, request.tool, chosen)],
    )


def _with_variables(answerer: Answerer, found: Configuration) -> Answerer:
    """With what settings say of the variables of agents, where the agent says nothing."""
    if found.settings.env is None:
        return answerer
    said = {"env": found.settings.env, "pass_env": found.settings.pass_env}
    agent = answerer.agent
    return replace(answerer, agent=replace(agent, config={**said, **agent.config}))


def _plan(request: RunRequest) -> Plan:
    try:
        whole = load_plan(request.plan_file)
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
