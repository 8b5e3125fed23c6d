"""`aurora-soar config`: which settings hold, and why; the schema of plan files."""

from __future__ import annotations

import json
import os
import sys
from enum import Enum
from typing import Annotated, Any

import typer

from aurora_soar.cli.columns import columns
from aurora_soar.cli.configured import configured_or_exit
from aurora_soar.cli.streams import outputs
from aurora_soar.config import SETTINGS, Configuration
from aurora_soar.folders import config_folder
from aurora_soar.plan.schema import plan_schema
from aurora_spawner import safe_line

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)


@app.callback()
@outputs()
def config_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show every setting with its value and where that comes from.

    Flags win over AURORA_* variables; those over aurora.toml, or [tool.aurora] in
    pyproject.toml, the nearest upwards in the repository; that over your own file; that over the
    defaults. Flags and variables win over a plan, files are for where it says nothing.
    """
    if context.invoked_subcommand is not None:
        return
    found = configured_or_exit()
    if as_json:
        print(json.dumps(_data(found), indent=2))
    else:
        rows = [(name, _shown(value), origin) for name, value, origin in _values(found)]
        for line in columns(rows):
            print(line)
        print()
        print(f"Your own file: {_own_file()}")
    sys.stdout.flush()


@app.command("schema")
@outputs()
def schema_command() -> None:
    """Print the JSON Schema of plan files, for editors."""
    print(json.dumps(plan_schema(), indent=2))
    sys.stdout.flush()


def _values(found: Configuration) -> list[tuple[str, Any, str]]:
    return [(name, getattr(found.settings, name), found.origins[name].name) for name in SETTINGS]


def _data(found: Configuration) -> dict[str, Any]:
    """What `--json` prints."""
    settings = []
    for name, value, origin in _values(found):
        where = found.origins[name]
        settings.append(
            {
                "name": name,
                "value": value,
                "origin": origin,
                "kind": where.kind,
                "file": None if where.file is None else str(where.file),
                "line": where.line,
                "default": SETTINGS[name].default,
                "help": SETTINGS[name].help,
                "variables": SETTINGS[name].variables,
            }
        )
    return {"v": 1, "settings": settings, "notes": found.notes, "own_file": _own_file()}


def _own_file() -> str:
    return os.fspath(config_folder() / "config.toml")


def _shown(value: object) -> str:
    """A value as people write it."""
    match value:
        case None | ():
            return "-"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case tuple():
            return safe_line(", ".join(map(str, value)))
        case float():
            return f"{value:g}"
        case _:
            return safe_line(str(value))
