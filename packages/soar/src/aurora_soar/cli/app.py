"""The command line: its help, its commands, and what becomes of a bug."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from aurora_soar.cli.commands import (
    agents_command,
    apply_command,
    check_command,
    circuits_command,
    config_command,
    init_command,
    isolate_command,
    reset_command,
    resume_command,
    run_command,
    schema_command,
    show_agent_command,
    show_command,
    trust_command,
)
from aurora_spawner import give_streams, report_bug

__all__ = ["app", "start"]

app = typer.Typer(
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


app.command("init")(init_command)
app.command("run")(run_command)
app.command("resume")(resume_command)
app.command("show")(show_command)
app.command("check")(check_command)
app.command("apply")(apply_command)

agents = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
agents.callback()(agents_command)
agents.command("show")(show_agent_command)
app.add_typer(agents, name="agents")

app.command("trust")(trust_command)

circuits = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
circuits.callback()(circuits_command)
circuits.command("reset")(reset_command)
circuits.command("isolate")(isolate_command)
app.add_typer(circuits, name="circuits")

config = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
config.callback()(config_command)
config.command("schema")(schema_command)
app.add_typer(config, name="config")
