"""The command line: flags, errors, exit codes. The work is done elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from aurora_soar.cli.check import describe
from aurora_soar.cli.preflight import Answerer, answerers, chosen_tool, missing
from aurora_soar.cli.run import RunOptions, run
from aurora_soar.plan import Plan, PlanError, did_you_mean, load_plan
from aurora_spawner import (
    TOOLS,
    ExitCode,
    Progress,
    give_streams,
    output_lost,
    parse_duration,
    report_bug,
    safe_line,
    supervise,
)

__all__ = ["app", "main"]

_HOME = Path(".aurora")

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""\b
  aurora-soar run plan.toml                   run a plan of agents
  aurora-soar run plan.toml --tool extract    try it without a model
  aurora-soar check plan.toml                 see what would run, and why

Each subgoal of a plan starts as soon as what it depends on is done; agents are retried, and
results are kept in .aurora/runs.
""",
)


def main() -> None:
    """Run the command that the arguments name, and exit."""
    give_streams()
    try:
        app(prog_name="aurora-soar")
    except Exception as error:
        sys.exit(report_bug("aurora-soar", error))


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _known_tool(name: str | None) -> str | None:
    # `command` is no choice for all: each agent that is a program names its own.
    known = [tool for tool in TOOLS if tool != "command"]
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise typer.BadParameter(f'unknown tool "{name}".{hint}')
    return name


PlanFile = Annotated[str, typer.Argument(metavar="PLAN", help="The plan file, TOML or JSON.")]
Jobs = Annotated[
    int | None, typer.Option("-j", "--jobs", min=1, metavar="N", help="Agents at once.")
]
Retries = Annotated[
    int | None,
    typer.Option("--retries", min=0, metavar="N", help="Further attempts of every subgoal."),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", parser=_seconds, metavar="TIME", help="For every attempt: 90, 30m, 1h30m."
    ),
]
ToolName = Annotated[
    str | None,
    typer.Option(
        "--tool",
        metavar="NAME",
        callback=_known_tool,
        help="Who answers for every agent that is no program: "
        "claude, codex, gemini, opencode; extract: no model.",
    ),
]
NoFallback = Annotated[
    bool,
    typer.Option("--no-fallback", help="Do not ask the plain LLM where an agent failed."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aurora-soar {version('aurora-soar')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    pass


@contextmanager
def _outputs() -> Iterator[None]:
    """End with the right code where an output cannot be written."""
    try:
        yield
    except OSError as error:
        raise typer.Exit(output_lost("aurora-soar", error)) from None


@app.command("run")
@_outputs()
def _run(
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
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Start nothing: the same as check.")
    ] = False,
) -> None:
    """Run a plan."""
    loaded = _loaded(plan, jobs, retries, timeout)
    chosen = _chosen(tool)
    found = answerers(loaded, tool, chosen)
    if dry_run:
        _describe(loaded, found, fallback_to_llm=not no_fallback)
    if _tell_missing(found):
        raise typer.Exit(ExitCode.NO_TOOL)
    options = RunOptions(
        plan_file=plan,
        tool=tool,
        model=model,
        chosen_tool=chosen,
        fallback_to_llm=not no_fallback,
        progress=progress,
        json=as_json,
        quiet=quiet,
        home=_HOME,
    )
    # From here on there are agents, and whatever kills us must not leave them running.
    supervise()
    raise typer.Exit(run(loaded, [each.agent for each in found], options))


@app.command("check")
@_outputs()
def _check(
    plan: PlanFile,
    jobs: Jobs = None,
    no_fallback: NoFallback = False,
    retries: Retries = None,
    timeout: Timeout = None,
    tool: ToolName = None,
) -> None:
    """Show what a plan would run, in which order and why; start nothing."""
    loaded = _loaded(plan, jobs, retries, timeout)
    found = answerers(loaded, tool, _chosen(tool))
    _describe(loaded, found, fallback_to_llm=not no_fallback)


def _loaded(plan_file: str, jobs: int | None, retries: int | None, timeout: float | None) -> Plan:
    """The plan, with the flags in the places of what they win over; ends here if it is wrong."""
    try:
        loaded = load_plan(plan_file)
    except PlanError as error:
        for problem in error.problems:
            _complain(str(problem))
        raise typer.Exit(ExitCode.USAGE) from None
    return loaded.adjusted(max_concurrent=jobs, retries=retries, timeout=timeout)


def _chosen(tool: str | None) -> str | None:
    chosen = chosen_tool(tool)
    try:
        return _known_tool(chosen)
    except typer.BadParameter as error:
        _complain(f"AURORA_SPAWN_TOOL: {error.message}")
        raise typer.Exit(ExitCode.USAGE) from None


def _describe(plan: Plan, found: list[Answerer], *, fallback_to_llm: bool) -> NoReturn:
    for line in describe(plan, found, fallback_to_llm=fallback_to_llm):
        print(line)
    sys.stdout.flush()
    raise typer.Exit(ExitCode.NO_TOOL if _tell_missing(found) else ExitCode.OK)


def _tell_missing(found: list[Answerer]) -> bool:
    lines = list(missing(found))
    for line in lines:
        _complain(line)
    return bool(lines)


def _complain(text: str) -> None:
    print(safe_line(text), file=sys.stderr)
