"""How long a person waits for `aurora-spawn --help`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec

from spawning.harness import Contestant, Figures, Row, Verdict, metered
from spawning.peers import OURS

__all__ = ["ROW"]

TIME = "ms"
EMPTY = "empty Typer app"
COMMAND = "aurora_spawner.cli"

EMPTY_APP = """
import typer

app = typer.Typer()

@app.command()
def main(name: str) -> None:
    "Do nothing."

app()
"""

ROW = Row(
    "help: time of `aurora-spawn --help`",
    columns=(TIME,),
    baseline=EMPTY,
    rounds=12,
)


def job(program: str) -> Figures:
    """Ask a program for help."""
    with metered() as cost:
        subprocess.run([sys.executable, "-c", program, "--help"], check=True, capture_output=True)
        spent = cost()
    return {TIME: spent.wall * 1e3}


def absent() -> str | None:
    """Whether there is a command already."""
    if find_spec("aurora_spawner") is None or find_spec(COMMAND) is None:
        return f"there is no {COMMAND} yet"
    return None


ROW.absent = absent
ROW.add(
    Contestant(EMPTY, partial(job, EMPTY_APP), modules=("typer",)),
    Contestant(
        OURS,
        partial(job, f"from {COMMAND} import main; main()"),
        modules=("aurora_spawner", "typer"),
    ),
)


def judge(figures: Mapping[str, Figures]) -> Iterator[Verdict]:
    """At most 1.3 times an empty app."""
    ratio = figures[OURS][TIME] / figures[EMPTY][TIME]
    yield Verdict("at most 1.3 x an empty Typer app", f"{ratio:.2f} x", ratio <= 1.3)


ROW.judge = judge
