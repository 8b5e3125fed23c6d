"""`aurora-soar run`: run a plan."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from aurora_soar.cli.commands.check import describe_and_exit
from aurora_soar.cli.conductor import Shown, conduct
from aurora_soar.cli.exports import ExportFiles, Exports
from aurora_soar.cli.options import (
    AsJson,
    Budget,
    FailFast,
    Jobs,
    MayDo,
    Model,
    NoFallback,
    Only,
    PlanFile,
    Quiet,
    Retries,
    ShownAs,
    Skip,
    Timeout,
    ToolName,
)
from aurora_soar.cli.places import HOME
from aurora_soar.cli.plans import prepare_or_exit, tell_missing
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.runs import RunFolder, RunRequest
from aurora_spawner import ExitCode, Journal, Progress, supervise, surroundings

__all__ = ["run_command"]


@outputs()
def run_command(
    plan: PlanFile,
    jobs: Jobs = None,
    no_fallback: NoFallback = False,
    retries: Retries = None,
    timeout: Timeout = None,
    budget: Budget = None,
    fail_fast: FailFast = False,
    only: Only = None,
    skip: Skip = None,
    tool: ToolName = None,
    model: Model = None,
    permissions: MayDo = "read-only",
    progress: ShownAs = Progress.AUTO,
    as_json: AsJson = False,
    events: Annotated[
        str | None,
        typer.Option("--events", metavar="FILE", help="What happens as JSON lines; - for stdout."),
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="The run as a page.")
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="The results as JUnit XML.")
    ] = None,
    trace: Annotated[
        str | None, typer.Option("--trace", metavar="FILE", help="A trace for ui.perfetto.dev.")
    ] = None,
    quiet: Quiet = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Start nothing: the same as check.")
    ] = False,
) -> None:
    """Run a plan."""
    if as_json and events == "-":
        complain("--json and --events - both want standard output; give --events a file")
        raise typer.Exit(ExitCode.USAGE)
    request = RunRequest(
        plan,
        jobs=jobs,
        retries=retries,
        timeout=timeout,
        tool=tool,
        model=model,
        no_fallback=no_fallback,
        permissions=permissions,
        budget_usd=budget or None,
        fail_fast=fail_fast,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
    )
    prepared = prepare_or_exit(request)
    if dry_run:
        describe_and_exit(prepared, fallback_to_llm=not no_fallback)
    if tell_missing(prepared):
        raise typer.Exit(ExitCode.NO_TOOL)
    # From here on there are agents, and whatever kills us must not leave them running.
    supervise()
    exports = Exports(ExportFiles(events, html, junit, trace))
    subgoals = [subgoal.id for subgoal in prepared.plan.subgoals]
    folder = RunFolder.create(HOME, subgoals)
    folder.write_request(replace(request, plan_file=os.path.abspath(plan)).to_text(subgoals))
    with Journal.open(folder.journal, surroundings=surroundings()) as journal:
        shown = Shown(progress, as_json, quiet, exports)
        raise typer.Exit(conduct(prepared, request, folder, shown, journal))
