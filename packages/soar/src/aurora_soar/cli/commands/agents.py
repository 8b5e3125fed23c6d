"""`aurora-soar agents`: the agents that can be named here, and where each comes from."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from aurora_soar.cli.agents_here import AgentsHere, agents_here, standing_of
from aurora_soar.cli.columns import columns
from aurora_soar.cli.completion import complete_definition
from aurora_soar.cli.streams import complain, outputs
from aurora_soar.definitions import FORMATS, Found, Roster
from aurora_soar.plan import did_you_mean
from aurora_soar.trust import Standing, not_used
from aurora_spawner import ExitCode, FoundTool, safe_line, take_inventory

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.callback()
@outputs()
def agents_command(
    context: typer.Context,
    probe: Annotated[
        bool, typer.Option("--probe", help="Which agent CLIs are here, in which version.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the agents that plans can name without writing them: those of your agent CLIs.

    The files that claude, codex, gemini, opencode and copilot have their agents in are read, in
    this project and in your home. A nearer file wins, and between equals that order decides.
    """
    if context.invoked_subcommand is not None:
        return
    here = agents_here()
    tools = asyncio.run(take_inventory()) if probe else None
    if as_json:
        data = {
            "v": 1,
            "agents": [_data(here.roster, each) for each in here.roster.agents.values()],
            "skipped": [
                {"file": str(each.path), "line": each.line, "reason": each.reason}
                for each in here.roster.broken
            ],
        }
        if tools is not None:
            data["tools"] = [asdict(tool) for tool in tools]
        print(json.dumps(data, indent=2))
    else:
        for line in _list(here):
            print(line)
        if tools is not None:
            print()
            for line in columns([_TOOLS_HEAD, *map(_tool, tools)]):
                print(line)
    sys.stdout.flush()
    if not as_json:
        for broken in here.roster.broken:
            complain(f"{broken}; skipped")


@app.command("show")
@outputs()
def show_agent_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The agent.", autocompletion=complete_definition)
    ],
    as_json: AsJson = False,
) -> None:
    """Show one agent: who it is, which file says so and why that one, and what it shadows."""
    roster = agents_here().roster
    found = roster.agents.get(name)
    if found is None:
        for broken in roster.broken:
            if broken.stem == name:
                complain(f"{broken}; skipped")
        hint = did_you_mean(name, roster.agents) or " All of them: aurora-soar agents"
        complain(f'aurora-soar: no agent file defines "{name}".{hint}')
        raise typer.Exit(ExitCode.USAGE)
    if as_json:
        data = {**_data(roster, found), "persona": found.definition.persona}
        print(json.dumps({"v": 1, **data}, indent=2))
    else:
        for line in _explained(roster, found):
            print(line)
    sys.stdout.flush()


_HEAD = ("NAME", "TOOL", "FILE", "")
_TOOLS_HEAD = ("TOOL", "VERSION", "STATE", "")


def _list(here: AgentsHere) -> Iterator[str]:
    agents = here.roster.agents
    if not agents:
        folders = ", ".join(dict.fromkeys(each.folders[0] for each in FORMATS))
        yield f"no agent is defined here or in your home (looked into {folders})"
        return
    rows: list[tuple[str, ...]] = [_HEAD]
    for name, found in agents.items():
        rows.append(_row(found, "waits: aurora-soar trust" if name in here.refused else ""))
        rows += [
            _row(each, f"shadowed by {safe_line(found.shown)}")
            for each in here.roster.shadowed(name)
        ]
    yield from columns(rows)


def _row(found: Found, remark: str) -> tuple[str, ...]:
    definition = found.definition
    return definition.name, definition.tool or "-", safe_line(found.shown), remark


def _tool(tool: FoundTool) -> tuple[str, ...]:
    cells = (tool.name, tool.version or "-", tool.state, tool.remark)
    return tuple(map(safe_line, cells))


def _explained(roster: Roster, found: Found) -> Iterator[str]:
    definition = found.definition
    tool = definition.tool or f"whoever answers by default: {found.cli} has no adapter"
    rows = [
        ("name", definition.name),
        ("tool", tool),
        ("model", definition.model or "the tool's own choice"),
        ("file", f"{found.shown} ({_whose(found)})"),
        ("when", definition.purpose or "-"),
    ]
    if definition.permissions is not None:
        rows.append(("may", f"{definition.permissions} at most, as its file says"))
    rows += [("names", demand) for demand in definition.demands]
    standing = standing_of(found)
    if standing is not Standing.TRUSTED:
        rows.append(("waits", not_used(standing, found.shown)))
    elif definition.demands:
        rows.append(("", "none of what it names is used here, only who the agent is"))
    rows += [
        ("shadows", f"{each.shown} ({found.wins_because(each)})")
        for each in roster.shadowed(definition.name)
    ]
    yield from columns([(name, safe_line(value)) for name, value in rows])
    yield ""
    yield from map(safe_line, definition.persona.splitlines())


def _whose(found: Found) -> str:
    return "of this project" if found.scope == "project" else "yours"


def _data(roster: Roster, found: Found) -> dict[str, Any]:
    """What `--json` prints of an agent; fields are only added."""
    definition = found.definition
    return {
        "name": definition.name,
        "tool": definition.tool,
        "model": definition.model,
        "purpose": definition.purpose or None,
        "permissions": definition.permissions,
        "file": str(found.path),
        "cli": found.cli,
        "scope": found.scope,
        "demands": list(definition.demands),
        "usable": standing_of(found) is Standing.TRUSTED,
        "shadows": [str(each.path) for each in roster.shadowed(definition.name)],
    }
