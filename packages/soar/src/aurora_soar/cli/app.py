"""The command line: its help, its commands, and what becomes of a bug."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aurora_soar.cli.later import Commands
from aurora_spawner import give_streams, report_bug

__all__ = ["app", "start"]

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""\b
  aurora-soar init                            write a first plan, plan.toml
  aurora-soar run plan.toml                   run it
  aurora-soar run plan.toml --tool extract    try it without a model

Each subgoal of a plan starts as soon as what it depends on is done; agents are retried, and
results are kept in .aurora/runs, and shown by `aurora-soar show`.
""",
)


def start() -> None:
    """Run the command that the arguments name, and exit."""
    give_streams()
    try:
        app(prog_name="aurora-soar")
    except Exception as error:
        sys.exit(report_bug("aurora-soar", error))


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

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
