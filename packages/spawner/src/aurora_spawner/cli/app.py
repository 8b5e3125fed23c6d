"""The command line of `aurora-spawn`: options, their errors, their help."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from aurora_spawner.cli.arguments import Arguments, split_arguments
from aurora_spawner.cli.options import RunOptions
from aurora_spawner.progress import Progress

if TYPE_CHECKING:
    from aurora_spawner.cli.jobs import Recipe
    from aurora_spawner.cli.sources import Source

# What a run needs is imported when there is one: most of the time of `--help` would be spent on it.

__all__ = ["start"]

_NAME = "aurora-spawn"


def start(words: Sequence[str]) -> None:
    """Run the command with these arguments, and exit."""
    arguments = split_arguments(words)
    try:
        _app(args=list(arguments.options), prog_name=_NAME, obj=arguments)
    except KeyboardInterrupt:
        # Before or after a run; during one Ctrl-C has its own meaning.
        sys.exit(130)
    except OSError as error:
        from aurora_spawner.commands import output_lost

        sys.exit(output_lost(_NAME, error))
    except Exception as error:
        from aurora_spawner.commands import report_bug

        sys.exit(report_bug(_NAME, error))


class _Isolation(StrEnum):
    NONE = "none"
    PID_NAMESPACE = "pid-namespace"


class _Permissions(StrEnum):
    READ_ONLY = "read-only"
    WORKSPACE_WRITE = "workspace-write"
    FULL_ACCESS = "full-access"


class _Leftovers(StrEnum):
    KILL = "kill"
    REPORT = "report"


class _Runner(StrEnum):
    LOCAL = "local"
    DASK = "dask"


def _seconds(text: str) -> float:
    from aurora_spawner.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _known_tool(name: str | None) -> str | None:
    if name is None:
        return None
    from aurora_spawner.cli.jobs import known_tool

    try:
        return known_tool(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _known_policy(name: str | None) -> str | None:
    if name is not None:
        from aurora_spawner.cli.jobs import did_you_mean
        from aurora_spawner.policy import PRESETS

        if name not in PRESETS:
            hint = did_you_mean(name, PRESETS) or f" There are {', '.join(PRESETS)}."
            raise typer.BadParameter(f'no preset is called "{name}".{hint}')
    return name


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"{_NAME} {version('aurora-spawner')}")
        raise typer.Exit


class _Command(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["[OPTIONS] [TEMPLATE] [-- COMMAND...] [::: INPUT...]"]


_app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_HELP = """\b
  aurora-spawn 'Review {}' ::: src/*.py             one agent per file name
  ls src/*.py | aurora-spawn 'Review {}' | jq .     the same, as a pipe
  aurora-spawn -- pytest -q {} ::: tests/test_*.py  any program instead

Run one agent per input, several at once. {} stands for the input; a TEMPLATE without it gets the
input after a blank line, a COMMAND without it on standard input. Inputs follow ::: or are the
lines of standard input. No agent CLI at hand? Try --tool extract.

Standard output gets a line of JSON per input, in the order of the inputs: v, index, id, input,
success, output, error, failure_type, exit_code, tool, retries, duration_ms, stderr,
dropped_bytes, warnings, leftovers, kept, cost_usd, tokens_in, tokens_out, session_id, model,
tool_version (null: unknown). So `| jq -r .output` prints the answers.

Exit codes: 0 all answered, 1 some failed, 2 usage, 69 no agent CLI, 70 our bug, 74 cannot read
or write, 129, 130, 143 ended by a signal, 141 reader gone. Ctrl-C once: nothing new starts;
twice: agents are ended.
"""


@_app.command(cls=_Command, help=_HELP)
def _command(
    context: typer.Context,
    template: Annotated[
        list[str] | None,
        typer.Argument(hidden=True),
    ] = None,
    arg_file: Annotated[
        str | None,
        typer.Option("-a", "--arg-file", metavar="FILE", help="Inputs from FILE; -: stdin."),
    ] = None,
    null: Annotated[bool, typer.Option("-0", "--null", help="Inputs end in NUL bytes.")] = False,
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help="Inputs are objects: prompt, id, agent, tool, model, cwd, timeout, command, env, "
            "permissions, session_id.",
        ),
    ] = False,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, metavar="N", help="At once.")] = 5,
    tool: Annotated[
        str | None,
        typer.Option(
            "--tool",
            metavar="NAME",
            callback=_known_tool,
            help="Who answers: claude, codex, gemini, opencode, llm; extract: no model. "
            "Otherwise AURORA_SPAWN_TOOL, or the first one on PATH.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The model, told to the tool.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            parser=_seconds,
            metavar="TIME",
            help="For every attempt: 90, 30m, 1h30m; otherwise what --policy says.",
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            min=0,
            metavar="N",
            help="Further attempts; otherwise what --policy says, none for a COMMAND.",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            metavar="PRESET",
            callback=_known_policy,
            help="default (5m), patient (10m), production (10m), fast_fail (1m), "
            "development (30m).",
        ),
    ] = None,
    cwd: Annotated[
        str | None, typer.Option("--cwd", metavar="FOLDER", help="Where agents work.")
    ] = None,
    permissions: Annotated[
        _Permissions,
        typer.Option(
            "--permissions",
            help="What agents may do unasked: read, change files below their folder, or "
            "everything outside of any sandbox.",
        ),
    ] = _Permissions.READ_ONLY,
    isolation: Annotated[
        _Isolation, typer.Option("--isolation", help="What agents run in.")
    ] = _Isolation.NONE,
    leftovers: Annotated[
        _Leftovers,
        typer.Option("--leftovers", help="What becomes of processes that agents leave running."),
    ] = _Leftovers.KILL,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="NAME", help="A program to let live; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Print what would run; start nothing.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("-x", "--fail-fast", help="Start nothing new after a failure.")
    ] = False,
    unordered: Annotated[
        bool, typer.Option("-u", "--unordered", help="Print results as they come.")
    ] = False,
    _ordered: Annotated[
        bool, typer.Option("-k", "--keep-order", help="In the order of the inputs; the default.")
    ] = False,
    results: Annotated[
        str | None,
        typer.Option("--results", metavar="DIR", help="A folder per task: logs and output."),
    ] = None,
    joblog: Annotated[
        str | None,
        typer.Option("--joblog", metavar="FILE", help="Append a line per task, tab separated."),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option("--journal", metavar="FILE", help="Keep results in FILE, to resume."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="FILE", help="Go on: run what the journal FILE lacks."),
    ] = None,
    resume_failed: Annotated[
        str | None,
        typer.Option("--resume-failed", metavar="FILE", help="And run again what failed."),
    ] = None,
    runner: Annotated[
        _Runner,
        typer.Option("--runner", help="Where agents run: on this machine, or on a Dask cluster."),
    ] = _Runner.LOCAL,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="The cluster's scheduler, tls://host:8786; without one, a cluster of this "
            "machine alone.",
        ),
    ] = None,
    trust_network: Annotated[
        bool,
        typer.Option(
            "--trust-network",
            help="Talk to that scheduler without encryption: nobody else is there.",
        ),
    ] = False,
    progress: Annotated[
        Progress, typer.Option("--progress", help="How the run shows itself.")
    ] = Progress.AUTO,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say something only if it is not all well.")
    ] = False,
    list_tools: Annotated[
        bool,
        typer.Option(
            "--list-tools", help="Show which agent CLIs are here, and whether they are tested."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --list-tools: a line of JSON per tool.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    from dataclasses import replace

    from aurora_spawner.cli.jobs import Recipe
    from aurora_spawner.cli.preflight import chosen_tool
    from aurora_spawner.cli.sources import open_source
    from aurora_spawner.cli.template import CommandTemplate, PromptTemplate
    from aurora_spawner.commands import give_streams
    from aurora_spawner.policy import PRESETS

    give_streams()
    arguments: Arguments = context.obj
    if list_tools:
        _list_tools(as_json=as_json)
        raise typer.Exit
    if as_json:
        _refuse("results are lines of JSON as they are; --json belongs to --list-tools")
    if arguments.command is not None:
        if not arguments.command:
            _refuse("-- names no program; write it behind: aurora-spawn -- wc -w ::: a b")
        if template:
            _refuse("there is a prompt template and a command; which of them is meant?")
        if tool or model:
            _refuse("a command is its own tool: leave --tool and --model out")
    if arguments.inputs is not None and arg_file is not None:
        _refuse("inputs come from ::: or from --arg-file, not from both")
    if unordered and _ordered:
        _refuse("-k and -u contradict each other")
    journals = [each for each in (journal, resume, resume_failed) if each is not None]
    if len(journals) > 1:
        _refuse("one of --journal, --resume, --resume-failed is enough")
    if cwd is not None and not os.path.isdir(cwd):
        _refuse(f"--cwd: there is no folder {cwd}; create it")
    if arguments.inputs is None and arg_file is None and sys.stdin.isatty():
        _refuse(
            "there is no input: write it behind ::: or pipe it in\n"
            "  aurora-spawn 'Review {}' ::: a.py b.py\n"
            "  ls *.py | aurora-spawn 'Review {}'\n"
            "  aurora-spawn ::: 'One prompt'             all options: aurora-spawn --help"
        )
    try:
        source = open_source(arguments.inputs, arg_file, null=null)
    except OSError as error:
        _refuse(f"cannot read {arg_file}: {error.strerror or error}")
    try:
        default = None if arguments.command is not None else chosen_tool(tool)
    except ValueError as error:
        _refuse(str(error))
    recipe = Recipe(
        prompt=PromptTemplate(" ".join(template or ())),
        command=CommandTemplate(arguments.command) if arguments.command is not None else None,
        jsonl=jsonl,
        tool=default,
        model=model,
        timeout=timeout,
        policy=replace(
            PRESETS[policy or "default"],
            leftovers=leftovers.value,
            keep=tuple(keep or ()),
            isolation=isolation.value,
        ),
        is_preset=policy is not None,
        retries=retries,
        cwd=cwd,
        permissions=permissions.value,
    )
    options = RunOptions(
        jobs=jobs,
        fail_fast=fail_fast,
        unordered=unordered,
        progress=progress,
        quiet=quiet,
        results=results,
        joblog=joblog,
        journal=journals[0] if journals else None,
        resume=journal is None,
        resume_failed=resume_failed is not None,
        runner=runner.value,
        scheduler=scheduler,
        trust_network=trust_network,
    )
    raise typer.Exit(_run(arguments, source, recipe, options, dry_run=dry_run))


def _list_tools(*, as_json: bool) -> None:
    import asyncio

    from aurora_spawner.ancestor import supervise
    from aurora_spawner.cli.listing import tool_lines, tool_table
    from aurora_spawner.inventory import take_inventory

    supervise()
    found = asyncio.run(take_inventory())
    for line in (tool_lines if as_json else tool_table)(found):
        typer.echo(line)


def _run(
    arguments: Arguments, source: Source, recipe: Recipe, options: RunOptions, *, dry_run: bool
) -> int:
    import asyncio

    from aurora_spawner.ancestor import supervise
    from aurora_spawner.cli import run
    from aurora_spawner.cli.preflight import missing, survey
    from aurora_spawner.cli.records import RecordTooLongError
    from aurora_spawner.commands import ExitCode
    from aurora_spawner.errors import ClusterError, InvalidTaskError, JournalError

    try:
        found = survey(source, recipe)
    except (OSError, RecordTooLongError) as error:
        _refuse(f"cannot read the input: {error}")
    if found.problems:
        more = [f"and {found.untold:,} more"] if found.untold else []
        _refuse("\n".join([*found.problems, *more, "nothing was started"]))
    # What the workers of a cluster have is seen there.
    is_here = options.scheduler is None
    absent = list(missing(found)) if is_here and found.total != 0 else []
    try:
        if dry_run:
            asyncio.run(run.dry_run(source, recipe, options))
        if absent:
            for line in absent:
                _complain(line)
            return ExitCode.NO_TOOL
        if dry_run:
            return ExitCode.OK
        supervise()
        return run.run(arguments, source, recipe, options, found.total)
    except (ClusterError, InvalidTaskError, JournalError) as error:
        _refuse(str(error))


def _refuse(text: str) -> NoReturn:
    _complain(text)
    raise typer.Exit(2)


def _complain(text: str) -> None:
    from aurora_spawner.terminal import safe_line

    for line in text.split("\n"):
        head = "" if line.startswith(" ") else f"{_NAME}: "
        print(f"{head}{safe_line(line)}", file=sys.stderr)
