"""`aurora-soar circuits`: which agents are left out after failures; forget it, or leave one out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from aurora_circuit_breaker import StoreDownError
from aurora_soar.circuits import Circuit, Circuits, LocalCircuits
from aurora_soar.cli.breakers import circuits_of, project_here
from aurora_soar.cli.columns import columns
from aurora_soar.cli.completion import complete_agent
from aurora_soar.cli.configured import configured_or_exit
from aurora_soar.cli.options import CircuitStore
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.plan import did_you_mean
from aurora_spawner import ExitCode, format_duration, safe_line

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)

AgentName = Annotated[
    str, typer.Argument(metavar="ID", help="The agent.", autocompletion=complete_agent)
]


@app.callback()
@outputs()
def circuits_command(
    context: typer.Context,
    everywhere: Annotated[
        bool, typer.Option("-a", "--all", help="Of all projects, not only of this one.")
    ] = False,
    circuit_store: CircuitStore = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the circuits of agents that failed, as runs of this project left them.

    An agent that keeps failing is left out for a while: its circuit is open. Later runs know, until
    a probe succeeds or the circuit is reset.
    """
    if context.invoked_subcommand is not None:
        return
    with _circuits(circuit_store) as circuits:
        project = circuits.project(project_here())
        known = [each for each in circuits.known() if everywhere or _is_of(each, project)]
    if as_json:
        print(json.dumps({"v": 1, **_where(circuits), "circuits": _data(known)}, indent=2))
    elif not known:
        print(f"no agent is known to fail{'' if everywhere else f' in {safe_line(project)}'}")
    else:
        for line in columns([_HEAD, *(_row(each, everywhere=everywhere) for each in known)]):
            print(line)
    sys.stdout.flush()


@app.command("reset")
@outputs()
def reset_command(
    agent: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The agent; else all.", autocompletion=complete_agent),
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("-a", "--all", help="In all projects, not only in this one.")
    ] = False,
    circuit_store: CircuitStore = None,
) -> None:
    """Forget how agents failed, and that they are isolated: the next run asks them again."""
    with _circuits(circuit_store) as circuits:
        project = circuits.project(project_here())
        here = [each for each in circuits.known() if everywhere or _is_of(each, project)]
        found = [each for each in here if agent is None or each.key.agent_id == agent]
        if agent is not None and not found:
            hint = did_you_mean(agent, {each.key.agent_id for each in here})
            complain(f'aurora-soar: nothing is known of an agent "{agent}" here.{hint}')
            raise typer.Exit(ExitCode.USAGE)
        circuits.reset(each.key for each in found)
    print(f"{len(found)} {'circuit' if len(found) == 1 else 'circuits'} reset")
    sys.stdout.flush()


@app.command("isolate")
@outputs()
def isolate_command(
    agent: AgentName,
    undo: Annotated[bool, typer.Option("--undo", help="Let it run again.")] = False,
    circuit_store: CircuitStore = None,
) -> None:
    """Leave an agent out of all runs of this project, also of those that go on now.

    Where it is asked, its fallback answers, or the plain LLM.
    """
    with _circuits(circuit_store) as circuits:
        project = circuits.project(project_here())
        isolations = [
            each.key
            for each in circuits.known()
            if each.is_isolation and _is_of(each, project) and each.key.agent_id == agent
        ]
        if not undo:
            circuits.isolate(project, agent)
        elif isolations:
            circuits.reset(isolations)
        else:
            complain(f'aurora-soar: no agent "{agent}" is isolated here')
            raise typer.Exit(ExitCode.USAGE)
    name = safe_line(agent)
    if undo:
        print(f"{name} may run again")
    else:
        print(f"{name} is left out; let it run again: aurora-soar circuits isolate {name} --undo")
    sys.stdout.flush()


@contextmanager
def _circuits(server: str | None) -> Iterator[Circuits]:
    """Those of this machine, or of the server that is set; ends the command without them."""
    settings = configured_or_exit(circuit_store=server).settings
    circuits = circuits_of(settings.circuit_store)
    try:
        yield circuits
    except (StoreDownError, OSError) as error:
        is_file = isinstance(circuits, LocalCircuits)
        remedy = "to begin anew, remove it" if is_file else f"is there a Redis at {circuits.place}?"
        complain(f"aurora-soar: the circuits cannot be used: {error}; {remedy}")
        raise typer.Exit(ExitCode.CANNOT_WRITE) from None
    finally:
        circuits.close()


def _where(circuits: Circuits) -> dict[str, str | None]:
    """Where they are, for `--json`: one of the two is null."""
    is_file = isinstance(circuits, LocalCircuits)
    return {
        "file": circuits.place if is_file else None,
        "server": None if is_file else circuits.place,
    }


def _is_of(circuit: Circuit, project: str) -> bool:
    return circuit.key.project == project


_HEAD = ("AGENT", "STATE", "FAILURES", "NEXT PROBE", "PROJECT")

_STATES = {"forced_open": "isolated", "half_open": "half open"}


def _row(circuit: Circuit, *, everywhere: bool) -> tuple[str, ...]:
    health = circuit.health
    wait = health["time_until_next_probe"]
    project = circuit.key.project if everywhere else Path(circuit.key.project).name
    return (
        safe_line(circuit.key.agent_id),
        _STATES.get(health["state"], health["state"]),
        "-" if circuit.is_isolation else str(health["failure_count"]),
        "-" if wait is None else f"in {format_duration(math.ceil(wait))}",
        safe_line(project),
    )


def _data(known: list[Circuit]) -> list[dict[str, Any]]:
    """What `--json` prints of each."""
    return [
        {
            "project": each.key.project,
            "agent": each.key.agent_id,
            "definition": None if each.is_isolation else each.key.definition,
            "state": each.health["state"],
            "failures": each.health["failure_count"],
            "failure_types": each.health["failure_types"],
            "next_probe_seconds": each.health["time_until_next_probe"],
        }
        for each in known
    ]
