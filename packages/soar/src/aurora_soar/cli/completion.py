"""What a shell offers for runs, subgoals and agents. Fast: names are looked at, little is read."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from aurora_soar.cli.places import HOME

__all__ = [
    "complete_agent",
    "complete_definition",
    "complete_planned",
    "complete_run",
    "complete_subgoal",
]

# As many runs are offered, the latest first: nobody chooses among more.
_RUNS = 20


def complete_run(incomplete: str) -> list[str]:
    """Ids of runs, the latest first."""
    return [each.name for each in _runs() if each.name.startswith(incomplete)][:_RUNS]


def complete_subgoal(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the subgoals of the run that is named before, or of the latest one."""
    wanted = context.params.get("run") or ""
    run = next((each for each in _runs() if each.name.startswith(wanted)), None)
    named = _loaded(run / "run.json").get("subgoals", ()) if run else ()
    return _beginning(map(str, named), incomplete)


def complete_planned(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the subgoals of the plan that is named before."""
    # Before an option without its value click gives up, and knows no arguments.
    plan = context.params.get("plan") or next(filter(_is_plan, _words()), "")
    subgoals = _loaded(Path(plan)).get("subgoals", ())
    named = (str(each["id"]) for each in subgoals if isinstance(each, dict) and "id" in each)
    return _beginning(named, incomplete)


def complete_agent(incomplete: str) -> list[str]:
    """Names of the agents whose circuits are known here."""
    # SQLite takes its time to load, and only this needs it.
    from aurora_soar.circuits import LocalCircuits
    from aurora_soar.cli.breakers import project_here
    from aurora_soar.folders import state_folder

    try:
        known = LocalCircuits(state_folder()).known()
    except Exception:
        return []
    here = str(project_here())
    return _beginning((each.key.agent_id for each in known if each.key.project == here), incomplete)


def complete_definition(incomplete: str) -> list[str]:
    """Names of the agents that definition files are for."""
    # YAML takes its time to load.
    from aurora_soar.definitions import discover

    return _beginning(discover(Path.cwd()).agents, incomplete)


def _words() -> list[str]:
    """The command line so far: bash names it so, other shells as Typer's scripts for them do."""
    return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()


def _is_plan(word: str) -> bool:
    return word.endswith((".toml", ".json")) and Path(word).is_file()


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [each for each in dict.fromkeys(names) if each.startswith(incomplete)]


def _runs() -> Iterator[Path]:
    try:
        found = [(each.stat().st_mtime, each) for each in (HOME / "runs").iterdir()]
    except OSError:
        return iter(())
    return (each for _, each in sorted(found, reverse=True))


def _loaded(path: Path) -> dict[str, Any]:
    """What a file says; nothing if it cannot be read, since a shell shows no errors."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
