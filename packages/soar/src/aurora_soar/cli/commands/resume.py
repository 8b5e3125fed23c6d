"""`aurora-soar resume`: go on with a run, without paying twice for what is finished."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import typer

from aurora_soar.assignments import assign
from aurora_soar.cli.breakers import breaker_of
from aurora_soar.cli.completion import complete_subgoal
from aurora_soar.cli.conductor import conduct
from aurora_soar.cli.configured import configured_or_exit
from aurora_soar.cli.exports import Exports, wanted_or_exit
from aurora_soar.cli.isolating import places_or_exit
from aurora_soar.cli.named import RunName, run_or_exit
from aurora_soar.cli.notice import noticed
from aurora_soar.cli.options import (
    AsJson,
    Budget,
    CircuitStore,
    EventsFile,
    HtmlFile,
    IsolatedBy,
    Jobs,
    JunitFile,
    Notify,
    Quiet,
    Retries,
    RunnerName,
    Scheduler,
    ShownAs,
    Timeout,
    ToolName,
    TraceFile,
    TrustNetwork,
    Verbose,
)
from aurora_soar.cli.plans import Prepared, prepare_or_exit, tell_missing
from aurora_soar.cli.running import runner_or_exit
from aurora_soar.cli.streams import complain, outputs, refuse
from aurora_soar.cli.telemetry import telemetry
from aurora_soar.cli.viewing import Shown
from aurora_soar.phases import Settings, persona_of
from aurora_soar.plan import Plan, UnknownSubgoalError, select
from aurora_soar.runs import Fate, RunFolder, RunRequest, predict
from aurora_spawner import ExitCode, Journal, safe_line, supervise, surroundings

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("resume")
@outputs()
def resume_command(
    run: RunName = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what failed, nothing that was never started.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="ID",
            help="This subgoal and what it needs; repeatable.",
            autocompletion=complete_subgoal,
        ),
    ] = None,
    redo: Annotated[
        list[str] | None,
        typer.Option(
            "--redo",
            metavar="ID",
            help="Run it again although it is done; repeatable.",
            autocompletion=complete_subgoal,
        ),
    ] = None,
    jobs: Jobs = None,
    retries: Retries = None,
    timeout: Timeout = None,
    budget: Budget = None,
    tool: ToolName = None,
    isolation: IsolatedBy = None,
    runner: RunnerName = None,
    scheduler: Scheduler = None,
    trust_network: TrustNetwork = None,
    circuit_store: CircuitStore = None,
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
        bool, typer.Option("-n", "--dry-run", help="Say what would be kept and run; start nothing.")
    ] = False,
) -> None:
    """Go on with a run: what is finished is kept, what is missing or has changed runs.

    The plan file is read again. Whatever it changes about a subgoal makes that subgoal run again.
    """
    request, folder = run_or_exit(run)
    found = configured_or_exit(
        jobs=jobs,
        retries=retries,
        timeout=timeout,
        budget=budget,
        tool=tool,
        isolation=isolation,
        runner=runner,
        scheduler=scheduler,
        trust_network=trust_network,
        circuit_store=circuit_store,
        progress=progress,
        notify=notify,
        events=events,
        html=html,
        junit=junit,
        trace=trace,
    )
    files = wanted_or_exit(found.settings, as_json=as_json)
    request = request.adjusted(
        jobs=found.decided("jobs"),
        retries=found.decided("retries"),
        timeout=found.decided("timeout"),
        tool=tool,
        budget_usd=found.decided("budget") or None,
        isolation=found.decided("isolation"),
        runner=found.decided("runner"),
        scheduler=found.decided("scheduler"),
        trust_network=found.decided("trust_network"),
    )
    prepared = prepare_or_exit(request, found)
    folder = RunFolder(folder.id, folder.path, [subgoal.id for subgoal in prepared.plan.subgoals])
    again = _known(prepared.plan, redo or ())
    where = runner_or_exit(prepared, request)
    if not dry_run:
        if request.scheduler is None and tell_missing(prepared):
            raise typer.Exit(ExitCode.NO_TOOL)
        # Before the journal is opened: its thread does not survive the fork.
        supervise()
    around = surroundings()
    with Journal.open(folder.journal, surroundings=around) as journal:
        fates = asyncio.run(_predicted(prepared, request, journal, again))
        wanted = _wanted(prepared.plan, fates, only or (), again, failed=failed)
        held_back = {name: "not asked for" for name in folder.ids if name not in wanted}
        history = journal.last_run.told(around) if journal.last_run is not None else ()
        said = [*history, *_said(folder, fates, held_back)]
        if dry_run or not quiet:
            for line in said:
                print(safe_line(line), file=sys.stdout if dry_run else sys.stderr)
        if dry_run:
            return
        exports = Exports(files, telemetry(os.environ, complain))
        shown = Shown(found.settings.progress, as_json, quiet, verbose, exports)
        # Whoever resumes wants another try of what has failed.
        breaker = breaker_of(prepared, request, found.settings.circuit_store, anew=True)
        places = places_or_exit(prepared, request, folder, quiet=quiet)

        def run_on() -> int:
            return conduct(
                *(prepared, request, folder, shown, journal, breaker, places, where),
                redo=again,
                held_back=held_back,
            )

        raise typer.Exit(noticed(found, prepared.plan.name, run_on))


def _known(plan: Plan, names: Collection[str]) -> frozenset[str]:
    try:
        select(plan, only=names)
    except UnknownSubgoalError as error:
        refuse(str(error))
    return frozenset(names)


async def _predicted(
    prepared: Prepared, request: RunRequest, journal: Journal, redo: Collection[str]
) -> list[Fate]:
    assignments = assign(
        list(enumerate(prepared.agents)), prepared.plan.mappings(), timeout=1.0, retries=0
    )
    settings = Settings(
        tool=prepared.chosen_tool, model=request.model, permissions=request.permissions
    )
    return await predict(assignments, settings, journal, persona_of, redo)


def _wanted(
    plan: Plan,
    fates: Sequence[Fate],
    only: Collection[str],
    redo: Collection[str],
    *,
    failed: bool,
) -> set[str]:
    """Who runs if there is need, with whatever they build on."""
    wanted = {subgoal.id for subgoal in select(plan, only=_known(plan, only)).subgoals}
    if failed:
        pairs = zip(plan.subgoals, fates, strict=True)
        wanted &= {subgoal.id for subgoal, fate in pairs if fate.has_failed}
    wanted |= {*redo}
    # To select none is to select all.
    return {subgoal.id for subgoal in select(plan, only=wanted).subgoals} if wanted else wanted


def _said(folder: RunFolder, fates: Sequence[Fate], held_back: Collection[str]) -> Iterator[str]:
    """What is kept, what runs and why, and what that is known to cost."""
    pairs = list(zip(folder.ids, fates, strict=True))
    kept = [(name, fate) for name, fate in pairs if fate.is_kept]
    rest = [(name, fate) for name, fate in pairs if not fate.is_kept and name not in held_back]
    runs = [(name, fate) for name, fate in rest if not fate.is_open]
    perhaps = len(rest) - len(runs)
    keeps, starts = f"{len(kept)}{_cost(kept, 'paid')}", f"{len(runs)}{_cost(runs, 'last time')}"
    more = f", perhaps {perhaps} more" if perhaps else ""
    yield f"run {folder.id}: keeps {keeps}, runs {starts}{more}"
    width = max((len(name) for name, _ in rest), default=0)
    for name, fate in rest:
        yield f"  {name:<{width}}  {fate.reason}"


def _cost(fates: Sequence[tuple[str, Fate]], when: str) -> str:
    """What they cost, as far as anybody told."""
    known = [fate.cost_usd for _, fate in fates if fate.cost_usd is not None]
    return f" (${sum(known):.2f} {when})" if known else ""
