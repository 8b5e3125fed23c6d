"""The flags that several commands share, and what their values are checked against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurora_soar.cli.completion import complete_planned
from aurora_soar.cli.streams import complain
from aurora_soar.config import SETTINGS, known_tool
from aurora_soar.plan import Isolation
from aurora_spawner import ExitCode, Permissions, Progress, parse_duration

__all__ = [
    "AsJson",
    "Budget",
    "CircuitStore",
    "EventsFile",
    "FailFast",
    "Fallback",
    "HtmlFile",
    "IsolatedBy",
    "Jobs",
    "JunitFile",
    "MayDo",
    "Model",
    "Notify",
    "Only",
    "PlanFile",
    "Quiet",
    "Retries",
    "RunnerName",
    "Scheduler",
    "SharedCircuits",
    "ShownAs",
    "Skip",
    "Timeout",
    "ToolName",
    "TraceFile",
    "TrustNetwork",
    "Verbose",
]


# What plans are called that nobody called otherwise.
_PLANS = ("plan.toml", "plan.yaml", "plan.yml", "plan.json")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _tool(name: str | None) -> str | None:
    try:
        return None if name is None else known_tool(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _setting(name: str, *declarations: str, **more: Any) -> Any:
    """The flag of a setting, with what the table says of it.

    Its own default is None: nothing was said. So files and variables can have their say.
    """
    setting = SETTINGS[name]
    said = [f"default: {setting.default}"] if setting.default not in {None, False, True} else []
    help_text = " ".join([setting.help, *(f"[{each}]" for each in said)])
    return typer.Option(*declarations, help=help_text, show_default=False, **more)


def _named_plan(context: typer.Context, plan: str) -> str:
    """The plan that is named; without one, what to type is told and the command ends.

    None is taken unasked, as `make` would: a plan names programs, and whoever has cloned a folder
    has not agreed to those in it.
    """
    if plan or context.resilient_parsing:
        return plan
    command = f"aurora-soar {context.info_name}"
    found = [name for name in _PLANS if Path(name).is_file()]
    if found:
        remedy = " or ".join(f"{command} {name}" for name in found)
        complain(f"aurora-soar: name the plan: {remedy}")
    else:
        complain("aurora-soar: there is no plan here; write a first one: aurora-soar init")
    raise typer.Exit(ExitCode.USAGE)


PlanFile = Annotated[
    str,
    typer.Argument(
        metavar="PLAN",
        help="The plan file: TOML, JSON or YAML.",
        callback=_named_plan,
        show_default=False,
    ),
]
Jobs = Annotated[int | None, _setting("jobs", "-j", "--jobs", min=1, metavar="N")]
Retries = Annotated[int | None, _setting("retries", "--retries", min=0, metavar="N")]
Timeout = Annotated[float | None, _setting("timeout", "--timeout", parser=_seconds, metavar="TIME")]
ToolName = Annotated[str | None, _setting("tool", "--tool", metavar="NAME", callback=_tool)]
Model = Annotated[str | None, _setting("model", "--model", metavar="NAME")]
Fallback = Annotated[bool | None, _setting("fallback", "--fallback/--no-fallback")]
Budget = Annotated[float | None, _setting("budget", "--budget", min=0.0, metavar="USD")]
MayDo = Annotated[Permissions | None, _setting("permissions", "--permissions")]
IsolatedBy = Annotated[Isolation | None, _setting("isolation", "--isolation")]
SharedCircuits = Annotated[
    bool | None, _setting("shared_circuits", "--shared-circuits/--no-shared-circuits")
]
Notify = Annotated[bool | None, _setting("notify", "--notify/--no-notify")]
EventsFile = Annotated[str | None, _setting("events", "--events", metavar="FILE")]
HtmlFile = Annotated[str | None, _setting("html", "--html", metavar="FILE")]
JunitFile = Annotated[str | None, _setting("junit", "--junit", metavar="FILE")]
TraceFile = Annotated[str | None, _setting("trace", "--trace", metavar="FILE")]
RunnerName = Annotated[Literal["local", "dask"] | None, _setting("runner", "--runner")]
Scheduler = Annotated[str | None, _setting("scheduler", "--scheduler", metavar="ADDRESS")]
TrustNetwork = Annotated[bool | None, _setting("trust_network", "--trust-network")]
CircuitStore = Annotated[str | None, _setting("circuit_store", "--circuit-store", metavar="URL")]
ShownAs = Annotated[Progress | None, _setting("progress", "--progress")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="ID",
        help="This subgoal and what it needs; may be repeated.",
        autocompletion=complete_planned,
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option(
        "--skip",
        metavar="ID",
        help="Not this one, nor what cannot run without it.",
        autocompletion=complete_planned,
    ),
]
FailFast = Annotated[
    bool, typer.Option("-x", "--fail-fast", help="Start nothing new once something has failed.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Say something only if it is not all well.")
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Print what agents say as they say it.")
]
