"""Commands that are imported when they are asked for: the help lists all, and uses none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["Commands"]

# A file of `commands` each, in the order of the help.
_SUMMARIES: Mapping[str, str] = {
    "init": "Write a first plan, plan.toml.",
    "run": "Run a plan.",
    "resume": "Go on with a run: what is finished is kept.",
    "show": "Show what became of a run, or of one subgoal.",
    "check": "Show what a plan would run, and start nothing.",
    "apply": "Take over what subgoals changed in their worktrees.",
    "agents": "List the agents that plans can name.",
    "trust": "Trust files of this project, once you have seen them.",
    "circuits": "List, reset or isolate the circuits of agents.",
    "config": "Show every setting with its value and its source.",
}


class Commands(TyperGroup):
    """All commands, in the order of the help."""

    def __init__(self, **settings: Any) -> None:
        """Take what Typer has collected, which is everything but the commands."""
        commands = {name: _Later(name, help=summary) for name, summary in _SUMMARIES.items()}
        super().__init__(**{**settings, "commands": commands})


class _Later(TyperCommand):
    """A command of which only name and summary are known before its arguments are read."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **settings: Any
    ) -> Any:
        """Import the command, and let it read them."""
        found: typer.Typer = import_module(f"aurora_soar.cli.commands.{self.name}").app
        return get_command(found).make_context(info_name, args, parent, **settings)
