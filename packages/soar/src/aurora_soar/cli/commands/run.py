"""`aurora-soar run`: run a plan."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Annotated

import typer

from aurora_soar.cli.breakers import breaker_of
from aurora_soar.cli.commands.check import describe_and_exit
from aurora_soar.cli.conductor import conduct
from aurora_soar.cli.configured import configured_or_exit
from aurora_soar.cli.exports import Exports, wanted_or_exit
from aurora_soar.cli.isolating import places_or_exit
from aurora_soar.cli.notice import noticed
from aurora_soar.cli.options import (
    AsJson,
    Budget,
    CircuitStore,
    EventsFile,
    FailFast,
    Fallback,
    HtmlFile,
    IsolatedBy,
    Jobs,
    JunitFile,
    MayDo,
    Model,
    Notify,
    Only,
    PlanFile,
    Quiet,
    Retries,
    RunnerName,
    Scheduler,
    SharedCircuits,
    ShownAs,
    Skip,
    Timeout,
    ToolName,
    TraceFile,
    TrustNetwork,
    Verbose,
)
from aurora_soar.cli.places import HOME
from aurora_soar.cli.plans import prepare_or_exit, tell_missing
from aurora_soar.cli.running import runner_or_exit
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.cli.telemetry import telemetry
from aurora_soar.cli.viewing import Shown
from aurora_soar.runs import RunFolder, RunRequest
from aurora_spawner import ExitCode, Journal, supervise, surroundings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("run")
@outputs()
def run_command(
    plan: PlanFile = "",
    jobs: Jobs = None,
    fallback: Fallback = None,
    retries: Retries = None,
    timeout: Timeout = None,
    budget: Budget = None,
    fail_fast: FailFast = False,
    only: Only = None,
    skip: Skip = None,
    tool: ToolName = None,
    model: Model = None,
    permissions: MayDo = None,
    isolation: IsolatedBy = None,
    runner: RunnerName = None,
    scheduler: Scheduler = None,
    trust_network: TrustNetwork = None,
    circuit_store: CircuitStore = None,
    shared_circuits: SharedCircuits = None,
    progress: ShownAs = None,
    notify: Notify = None,
    as_json: AsJson = False,
    events: EventsFile = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    trace: TraceFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Start nothing: the same as check.")
    ] = False,
) -> None:
    """Run a plan."""
    found = configured_or_exit(
        jobs=jobs,
        fallback=fallback,
        retries=retries,
        timeout=timeout,
        budget=budget,
        tool=tool,
        model=model,
        permissions=permissions,
        isolation=isolation,
        runner=runner,
        scheduler=scheduler,
        trust_network=trust_network,
        circuit_store=circuit_store,
        shared_circuits=shared_circuits,
        progress=progress,
        notify=notify,
        events=events,
        html=html,
        junit=junit,
        trace=trace,
    )
    settings = found.settings
    files = wanted_or_exit(settings, as_json=as_json)
    request = RunRequest(
        plan,
        jobs=found.decided("jobs"),
        retries=found.decided("retries"),
        timeout=found.decided("timeout"),
        tool=tool,
        model=settings.model,
        no_fallback=not settings.fallback,
        permissions=settings.permissions,
        budget_usd=found.decided("budget") or None,
        isolation=found.decided("isolation"),
        runner=settings.runner,
        scheduler=settings.scheduler,
        trust_network=settings.trust_network,
        shared_circuits=settings.shared_circuits,
        fail_fast=fail_fast,
        only=tuple(only or ()),
        skip=tuple(skip or ()),
    )
    prepared = prepare_or_exit(request, found)
    if dry_run:
        describe_and_exit(prepared, request)
    where = runner_or_exit(prepared, request)
    # What is there on a cluster's workers cannot be seen from here.
    if request.scheduler is None and tell_missing(prepared):
        raise typer.Exit(ExitCode.NO_TOOL)
    # From here on there are agents, and whatever kills us must not leave them running.
    supervise()
    exports = Exports(files, telemetry(os.environ, complain))
    subgoals = [subgoal.id for subgoal in prepared.plan.subgoals]
    folder = RunFolder.create(HOME, subgoals)
    folder.write_request(replace(request, plan_file=os.path.abspath(plan)).to_text(subgoals))
    places = places_or_exit(prepared, request, folder, quiet=quiet)
    with Journal.open(folder.journal, surroundings=surroundings()) as journal:
        shown = Shown(settings.progress, as_json, quiet, verbose, exports)
        breaker = breaker_of(prepared, request, settings.circuit_store)
        code = noticed(
            found,
            prepared.plan.name,
            lambda: conduct(prepared, request, folder, shown, journal, breaker, places, where),
        )
        raise typer.Exit(code)
