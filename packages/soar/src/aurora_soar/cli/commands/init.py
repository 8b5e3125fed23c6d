"""`aurora-soar init`: write a first plan for what is here."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import typer

from aurora_soar.cli.agents_here import agents_here
from aurora_soar.cli.first_plan import first_plan
from aurora_soar.cli.programs import find_test_program
from aurora_soar.cli.streams import complain, outputs
from aurora_spawner import AGENT_CLIS, TOOLS, ExitCode, safe_line

__all__ = ["app"]

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_PLAN = "plan.toml"

# As many agents of the user's are named; `aurora-soar agents` has all.
_NAMED = 5


@app.command("init")
@outputs()
def init_command() -> None:
    """Write a first plan, plan.toml, for the agent CLIs and the tests that are here.

    A plan that is there already is never touched. Nothing is started.
    """
    here = Path.cwd()
    clis = [name for name in AGENT_CLIS if shutil.which(TOOLS[name].executable)]
    tests = find_test_program(here)
    text = first_plan(here.name, clis, tests)
    try:
        with open(_PLAN, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        complain(f"aurora-soar: {_PLAN} is there already; run it: aurora-soar run {_PLAN}")
        raise typer.Exit(ExitCode.USAGE) from None
    programs = ["ls", *([shlex.join(tests)] if tests else [])]
    answers = f"agents by {' and '.join(clis[:2])}" if clis else "agents by no CLI yet"
    print(f"{_PLAN} is written: programs {' and '.join(programs)}, {answers}")
    known = list(agents_here().agents)
    if known:
        more = ", ..." if len(known) > _NAMED else ""
        print(
            f"Agents you have, for the plan by name: {safe_line(', '.join(known[:_NAMED]))}{more}"
        )
    if not clis:
        print(f"No agent CLI is on PATH (looked for {', '.join(AGENT_CLIS)})")
    print(f"Look at it: aurora-soar check {_PLAN}")
    if clis:
        print(f"Run it:     aurora-soar run {_PLAN}")
    print(f"{'Or without' if clis else 'Without'} a model: aurora-soar run {_PLAN} --tool extract")
    sys.stdout.flush()
