"""The settings of the command: one table, from which flags, variables, files and help derive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aurora_soar.plan import Isolation, did_you_mean
from aurora_soar.plan.values import AtLeastOne, Command, Count, Name, Seconds, items
from aurora_spawner import PROGRAM_TOOLS, TOOLS, Permissions, Progress

__all__ = ["SETTINGS", "Setting", "Settings", "known_tool"]

ByProject: TypeAlias = Literal["yes", "once trusted", "no"]


@dataclass(frozen=True, slots=True)
class _Reach:
    """Who may decide a setting, beside its flag."""

    variables: bool = True
    also_called: tuple[str, ...] = ()
    user_file: bool = True
    project_file: ByProject = "yes"


# Files never widen what agents may do, and neither does a variable that is set once and forgotten.
_FLAG_ALONE = _Reach(variables=False, user_file=False, project_file="no")
# Whoever clones a project has not agreed yet to what it does to files and secrets.
_ONCE_TRUSTED = _Reach(project_file="once trusted")
# Where prompts, answers and variables go is not for a project to say.
_ONE_S_OWN = _Reach(project_file="no")
# What runs on the user's machine is the user's choice.
_OWN_FILE_ALONE = _Reach(variables=False, project_file="no")


def known_tool(name: str) -> str:
    """The name, if a tool for agents that are no programs has it.

    Raises:
        ValueError: No tool has it.
    """
    # No choice for all: each agent that is a program names its own.
    known = [tool for tool in TOOLS if tool not in PROGRAM_TOOLS]
    if name not in known:
        hint = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise ValueError(f'unknown tool "{name}".{hint}')
    return name


def _names(value: object) -> object:
    """Names with commas between them, as variables have them, or a list of them."""
    if isinstance(value, str):
        return tuple(name for part in value.split(",") if (name := part.strip()))
    return items(value)


class Settings(BaseModel):
    """What holds when nothing else is said, and what may be said; the help is each description."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    jobs: AtLeastOne | None = Field(None, description="Agents at once.")
    tool: Annotated[
        str | None, AfterValidator(known_tool), _Reach(also_called=("AURORA_SPAWN_TOOL",))
    ] = Field(
        None,
        description="Who answers for agents that name no tool (the flag: for all that are no "
        "program): claude, codex, gemini, opencode; extract: no model.",
    )
    model: Annotated[Name | None, _Reach(also_called=("AURORA_SPAWN_MODEL",))] = Field(
        None, description="The model of agents that name none, told to the tool."
    )
    timeout: Seconds | None = Field(None, description="For every attempt: 90, 30m, 1h30m.")
    retries: Count | None = Field(None, description="Further attempts of every subgoal.")
    fallback: bool = Field(True, description="Ask the plain LLM where an agent failed.")
    budget: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = Field(
        None, description="US dollars: once agents have cost this much, nothing new starts."
    )
    isolation: Isolation | None = Field(
        None,
        description="Where agents that may write work: each in a git worktree, or none of them; "
        "by default in worktrees if two can overlap.",
    )
    progress: Annotated[Progress, Field(strict=False)] = Field(
        Progress.AUTO, description="How the run shows itself."
    )
    html: Annotated[Name | None, _ONCE_TRUSTED] = Field(
        None, description="A file for the run as a page."
    )
    junit: Annotated[Name | None, _ONCE_TRUSTED] = Field(
        None, description="A file for the results as JUnit XML."
    )
    trace: Annotated[Name | None, _ONCE_TRUSTED] = Field(
        None, description="A file for a trace, for ui.perfetto.dev."
    )
    events: Annotated[Name | None, _ONCE_TRUSTED] = Field(
        None, description="A file for what happens, as JSON lines; - for standard output."
    )
    shared_circuits: bool = Field(
        True, description="What one run learns of failing agents holds for the next ones."
    )
    notify: bool = Field(False, description="Tell when a run is over, if it took a while.")
    notify_command: Annotated[Command | None, _OWN_FILE_ALONE] = Field(
        None, description="The program that tells, with its arguments; title and text come last."
    )
    env: Annotated[Literal["inherit", "minimal"] | None, _ONCE_TRUSTED] = Field(
        None, description="Which variables agents get that say nothing: ours, or a minimum."
    )
    pass_env: Annotated[tuple[Name, ...], BeforeValidator(_names), _ONCE_TRUSTED] = Field(
        (), description="Variables that are in the minimum too."
    )
    runner: Annotated[Literal["local", "dask"], _ONE_S_OWN] = Field(
        "local", description="Where agents run: on this machine, or on a Dask cluster."
    )
    scheduler: Annotated[Name | None, _ONE_S_OWN] = Field(
        None,
        description="The cluster's scheduler, tls://host:8786; without one, a cluster of this "
        "machine alone.",
    )
    trust_network: Annotated[bool, _ONE_S_OWN] = Field(
        False, description="Talk to that scheduler without encryption: nobody else is there."
    )
    circuit_store: Annotated[Name | None, _ONE_S_OWN] = Field(
        None,
        description="A Redis server, redis://host:6379/0, for circuits that several machines "
        "share.",
    )
    permissions: Annotated[Permissions, _FLAG_ALONE] = Field(
        "read-only", description="What agents may do without anybody to ask."
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: As files call it.
        default: Its value where nobody says anything.
        help: What it does, for people.
        variables: Environment variables that decide it, the first that is set; empty for none.
        in_user_file: Whether the user's own file may decide it.
        in_project_file: Whether a project's file may.
    """

    name: str
    default: Any
    help: str
    variables: tuple[str, ...]
    in_user_file: bool
    in_project_file: ByProject


def _rows() -> Mapping[str, Setting]:
    rows = {}
    for name, field in Settings.model_fields.items():
        reach = next((each for each in field.metadata if isinstance(each, _Reach)), _Reach())
        variables = (f"AURORA_{name.upper()}", *reach.also_called) if reach.variables else ()
        rows[name] = Setting(
            name,
            field.default,
            field.description or "",
            variables,
            reach.user_file,
            reach.project_file,
        )
    return rows


SETTINGS: Mapping[str, Setting] = _rows()
"""The table by name, in the order in which people are shown it."""
