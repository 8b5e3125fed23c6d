"""`aurora-soar run`: run a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aurora_soar.agents import AgentRegistry
from aurora_soar.cli.commands.check import describe_and_exit
from aurora_soar.cli.conductor import RunOptions, conduct
from aurora_soar.cli.options import (
    Jobs,
    MayDo,
    NoFallback,
    PlanFile,
    Retries,
    Timeout,
    ToolName,
)
from aurora_soar.cli.plans import chosen_or_exit, load_or_exit, tell_missing
from aurora_soar.cli.preflight import answerers, fallbacks
from aurora_soar.cli.streams import outputs
from aurora_spawner import ExitCode, Progress, supervise

__all__ = ["run_command"]

_HOME = Path(".aurora")


@outputs()
def run_command(
    plan: PlanFile,
    jobs: Jobs = None,
    no_fallback: NoFallback = False,
    retries: Retries = None,
    timeout: Timeout = None,
    tool: ToolName = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model, told to the tool.")
    ] = None,
    progress: Annotated[
        Progress, typer.Option("--progress", help="How the run shows itself.")
    ] = Progress.AUTO,
    as_json: Annotated[
        bool, typer.Option("--json", help="Results as JSON on standard output.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say something only if it is not all well.")
    ] = False,
    permissions: MayDo = "read-only",
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Start nothing: the same as check.")
    ] = False,
) -> None:
    """Run a plan."""
    loaded = load_or_exit(plan, jobs, retries, timeout)
    chosen = chosen_or_exit(tool)
    found = answerers(loaded, tool, chosen)
    others = fallbacks(loaded, tool, chosen)
    if dry_run:
        describe_and_exit(loaded, found, fallback_to_llm=not no_fallback)
    if tell_missing([*found, *others]):
        raise typer.Exit(ExitCode.NO_TOOL)
    options = RunOptions(
        plan_file=plan,
        chosen_tool=chosen,
        model=model,
        permissions=permissions,
        registry=AgentRegistry(each.agent for each in others),
        fallback_to_llm=not no_fallback,
        progress=progress,
        json=as_json,
        quiet=quiet,
        home=_HOME,
    )
    # From here on there are agents, and whatever kills us must not leave them running.
    supervise()
    raise typer.Exit(conduct(loaded, [each.agent for each in found], options))
