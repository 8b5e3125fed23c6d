"""The flags that several commands share, and what their values are checked against."""

from __future__ import annotations

from typing import Annotated

import typer

from aurora_soar.plan import did_you_mean
from aurora_spawner import PROGRAM_TOOLS, TOOLS, Permissions, Progress, parse_duration

__all__ = [
    "AsJson",
    "Budget",
    "FailFast",
    "Jobs",
    "MayDo",
    "Model",
    "NoFallback",
    "Only",
    "PlanFile",
    "Quiet",
    "Retries",
    "ShownAs",
    "Skip",
    "Timeout",
    "ToolName",
    "known_tool",
]


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def known_tool(name: str | None) -> str | None:
    """The name, if a tool for agents that are no programs has it, or None.

    Raises:
        typer.BadParameter: No tool has it.
    """
    # No choice for all: each agent that is a program names its own.
    known = [tool for tool in TOOLS if tool not in PROGRAM_TOOLS]
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise typer.BadParameter(f'unknown tool "{name}".{hint}')
    return name


PlanFile = Annotated[str, typer.Argument(metavar="PLAN", help="The plan file: TOML, JSON or YAML.")]
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
        callback=known_tool,
        help="Who answers for every agent that is no program: "
        "claude, codex, gemini, opencode; extract: no model.",
    ),
]
NoFallback = Annotated[
    bool,
    typer.Option("--no-fallback", help="Do not ask the plain LLM where an agent failed."),
]
MayDo = Annotated[
    Permissions,
    typer.Option("--permissions", help="What agents may do without anybody to ask."),
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="The model, told to the tool.")
]
Budget = Annotated[
    float | None,
    typer.Option(
        "--budget", min=0.0, metavar="USD", help="Nothing new starts once agents cost this much."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="This subgoal and what it needs; may be repeated."),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="ID", help="Not this one, nor what cannot run without it."),
]
FailFast = Annotated[
    bool, typer.Option("-x", "--fail-fast", help="Start nothing new once something has failed.")
]
ShownAs = Annotated[Progress, typer.Option("--progress", help="How the run shows itself.")]
AsJson = Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Say something only if it is not all well.")
]
