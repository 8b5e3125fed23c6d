"""From what was asked for to what runs: the plan with the flags in it, and who answers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from aurora_soar.agents import AgentInfo, AgentRegistry
from aurora_soar.cli.options import known_tool
from aurora_soar.cli.preflight import Answerer, answerers, chosen_tool, fallbacks, missing
from aurora_soar.cli.streams import complain
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


def prepare_or_exit(request: RunRequest) -> Prepared:
    """Load what was asked for; ends here, with every reason, if it cannot be run."""
    plan = _plan(request)
    chosen = _chosen(request.tool)
    return Prepared(
        plan,
        chosen,
        answerers(plan, request.tool, chosen),
        fallbacks(plan, request.tool, chosen),
    )


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
        fail_fast=request.fail_fast,
    )


def _chosen(tool: str | None) -> str | None:
    chosen = chosen_tool(tool)
    try:
        return known_tool(chosen)
    except typer.BadParameter as error:
        complain(f"AURORA_SPAWN_TOOL: {error.message}")
        raise typer.Exit(ExitCode.USAGE) from None


def tell_missing(prepared: Prepared) -> bool:
    """Complain of every agent CLI that is needed and not there; whether there was any."""
    lines = list(missing([*prepared.answerers, *prepared.others]))
    for line in lines:
        complain(line)
    return bool(lines)
