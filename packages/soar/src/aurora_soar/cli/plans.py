"""The plan that a command is given, with the flags in their places, and who answers for it."""

from __future__ import annotations

import typer

from aurora_soar.cli.options import known_tool
from aurora_soar.cli.preflight import Answerer, chosen_tool, missing
from aurora_soar.cli.streams import complain
from aurora_soar.plan import Plan, PlanError, load_plan
from aurora_spawner import ExitCode

__all__ = ["chosen_or_exit", "load_or_exit", "tell_missing"]


def load_or_exit(
    plan_file: str, jobs: int | None, retries: int | None, timeout: float | None
) -> Plan:
    """The plan, with the flags in the places of what they win over; ends here if it is wrong."""
    try:
        loaded = load_plan(plan_file)
    except PlanError as error:
        for problem in error.problems:
            complain(str(problem))
        raise typer.Exit(ExitCode.USAGE) from None
    return loaded.adjusted(max_concurrent=jobs, retries=retries, timeout=timeout)


def chosen_or_exit(tool: str | None) -> str | None:
    """The tool of everybody who names none; ends here if there is no such tool."""
    chosen = chosen_tool(tool)
    try:
        return known_tool(chosen)
    except typer.BadParameter as error:
        complain(f"AURORA_SPAWN_TOOL: {error.message}")
        raise typer.Exit(ExitCode.USAGE) from None


def tell_missing(found: list[Answerer]) -> bool:
    """Complain of every agent CLI that is needed and not there; whether there was any."""
    lines = list(missing(found))
    for line in lines:
        complain(line)
    return bool(lines)
