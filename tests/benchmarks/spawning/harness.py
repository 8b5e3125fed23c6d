"""Rows of contestants, each measured several times in a fresh process, judged side by side.

A row is a module with a `ROW`. Its contestants do the same job in their own ways and return their
figures; the rounds of all of them are interleaved, so that a disturbance of the machine meets
everybody, and the medians are compared.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

__all__ = ["WORKSHOP", "Contestant", "Cost", "Row", "Table", "Verdict", "measure", "metered"]

Figures = Mapping[str, float]

WORKSHOP = "AURORA_BENCHMARK_WORKSHOP"
"""The variable that names a folder for compiled programs and files, shared by a whole run."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way of doing the job of a row.

    Attributes:
        name: What it is called in the table.
        run: Does the job and returns its figures; columns that it leaves out stay empty.
        modules: What has to be importable.
        programs: What has to be on PATH.
        sizes: Its own sizes, where they differ from the row's.
    """

    name: str
    run: Callable[..., Figures]
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """Why it cannot take part."""
        lacking = [name for name in self.modules if find_spec(name) is None]
        lacking += [name for name in self.programs if shutil.which(name) is None]
        return f"not installed: {', '.join(lacking)}" if lacking else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and whether it was met."""

    target: str
    figure: str
    met: bool


@dataclass(slots=True)
class Table:
    """What a row measured.

    Attributes:
        title: The job.
        columns: What was measured, with its unit; the first one is compared.
        figures: Medians by contestant and column.
        absent: Contestants that did not take part, and why.
        verdicts: The targets.
        baseline: Whose figure is 1.0 in the ratios.
    """

    title: str
    columns: tuple[str, ...]
    figures: dict[str, dict[str, float]]
    absent: dict[str, str]
    verdicts: list[Verdict]
    baseline: str

    def as_json(self) -> dict[str, object]:
        """The table as plain data."""
        return {
            "title": self.title,
            "baseline": self.baseline,
            "figures": self.figures,
            "absent": self.absent,
            "verdicts": [
                {"target": verdict.target, "figure": verdict.figure, "met": verdict.met}
                for verdict in self.verdicts
            ],
        }

    def lines(self) -> Iterator[str]:
        """The table as text."""
        yield self.title
        reference = self.figures.get(self.baseline, {}).get(self.columns[0])
        width = max(map(len, [*self.figures, *self.absent, ""]))
        heads = [*self.columns, f"x {self.baseline}"]
        widths = [max(len(head), 9) for head in heads]
        cells = "  ".join(head.rjust(room) for head, room in zip(heads, widths, strict=True))
        yield f"  {'':{width}}  {cells}".rstrip()
        for name, figures in self.figures.items():
            main = figures.get(self.columns[0])
            shown = [_number(figures.get(column)) for column in self.columns]
            ratio = main / reference if main is not None and reference else None
            shown.append(_number(ratio))
            cells = "  ".join(cell.rjust(room) for cell, room in zip(shown, widths, strict=True))
            yield f"  {name:{width}}  {cells}".rstrip()
        for name, reason in self.absent.items():
            yield f"  {name:{width}}  {reason}"
        for verdict in self.verdicts:
            word = "met   " if verdict.met else "MISSED"
            yield f"  {word} {verdict.target}: {verdict.figure}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


class Row:
    """A job, those who do it, and what is asked of us.

    Args:
        title: The job, with its sizes.
        columns: The names of the figures, with units.
        baseline: The contestant that the ratios refer to.
        sizes: Arguments of every contestant.
        quick: Those that are smaller with `--quick`.
        rounds: How often each contestant is measured; a quarter of it, at least once, if quick.
        patience: Seconds; a contestant that takes longer does not take part.
    """

    def __init__(
        self,
        title: str,
        *,
        columns: tuple[str, ...],
        baseline: str,
        sizes: Mapping[str, int] | None = None,
        quick: Mapping[str, int] | None = None,
        rounds: int = 5,
        patience: float = 120.0,
    ) -> None:
        self.title = title
        self.columns = columns
        self.baseline = baseline
        self.sizes = dict(sizes or {})
        self.quick = dict(quick or {})
        self.rounds = rounds
        self.patience = patience
        self.contestants: dict[str, Contestant] = {}
        self.judge: Callable[[Mapping[str, Figures]], Iterable[Verdict]] = lambda figures: ()
        self.absent: Callable[[], str | None] = lambda: None

    def add(self, *contestants: Contestant) -> None:
        """Let them take part."""
        self.contestants.update({contestant.name: contestant for contestant in contestants})

    def run_one(self, name: str, *, quick: bool) -> Figures:
        """Measure one contestant once, in this process."""
        contestant = self.contestants[name]
        sizes = {**self.sizes, **contestant.sizes}
        if quick:
            sizes |= {size: min(sizes[size], small) for size, small in self.quick.items()}
        return contestant.run(**sizes)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of code cost this process, its children left out.

    Attributes:
        cpu: Seconds of user and system time.
        wall: Seconds on the monotonic clock.
    """

    cpu: float
    wall: float


@contextmanager
def metered() -> Iterator[Callable[[], Cost]]:
    """Yield a function that tells what the block has cost so far."""
    wall, cpu = time.perf_counter(), _cpu()
    yield lambda: Cost(_cpu() - cpu, time.perf_counter() - wall)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(key: str, row: Row, *, quick: bool, say: Callable[[str], None]) -> Table:
    """Measure every contestant of a row and judge.

    Args:
        key: The row's module in this package.
        row: The row.
        quick: Smaller sizes and fewer rounds.
        say: Gets a word on what is going on.
    """
    table = Table(row.title, row.columns, {}, {}, [], row.baseline)
    if reason := row.absent():
        table.absent["all"] = reason
        return table
    table.absent = {
        name: contestant.missing
        for name, contestant in row.contestants.items()
        if contestant.missing
    }
    rounds = max(1, row.rounds // 4) if quick else row.rounds
    measured: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="aurora-benchmark-") as workshop:
        for number in range(rounds):
            for name in row.contestants:
                if name in table.absent:
                    continue
                say(f"{key}: round {number + 1} of {rounds}, {name}")
                try:
                    figures = _in_a_fresh_process(
                        key, name, quick=quick, workshop=workshop, patience=row.patience
                    )
                except RuntimeError as error:
                    table.absent[name] = str(error)
                    measured.pop(name, None)
                else:
                    measured.setdefault(name, []).append(figures)
    for name, rounds_of_it in measured.items():
        table.figures[name] = {
            column: statistics.median(figures[column] for figures in rounds_of_it)
            for column in row.columns
            if column in rounds_of_it[0]
        }
    try:
        for verdict in row.judge(table.figures):
            table.verdicts.append(verdict)
    except KeyError as error:
        table.absent["no verdict"] = f"without {error}"
    return table


def _in_a_fresh_process(
    key: str, name: str, *, quick: bool, workshop: str, patience: float
) -> Figures:
    """Measure one contestant once.

    Raises:
        RuntimeError: It failed; the text is its last line on standard error.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "spawning", key, name, str(int(quick))],
        cwd=Path(__file__).parents[1],
        env={**os.environ, WORKSHOP: workshop},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise RuntimeError(f"failed: took more than {patience:g} s") from None
    if process.returncode:
        said = errors.strip().rpartition("\n")[2]
        raise RuntimeError(f"failed: {said or f'exit {process.returncode}'}")
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures
