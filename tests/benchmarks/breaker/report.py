"""What was measured, as a table for people, a line for the history, and targets met or missed."""

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Figures = Mapping[str, Mapping[str, float | str | None]]
"""By row, then by column; a text says why there is no figure, None that there is no such thing."""


@dataclass(frozen=True)
class Target:
    """A promise about one figure.

    Attributes:
        row: Whose figure.
        column: Which one.
        bound: At most this, or at least.
        at_least: Which of the two.
    """

    row: str
    column: str
    bound: float
    at_least: bool = False

    def verdict(self, figures: Figures) -> str:
        """One line that says what was promised and what was seen."""
        seen = figures.get(self.row, {}).get(self.column)
        promise = f"{'at least' if self.at_least else 'at most'} {number(self.bound)}"
        what = f"{self.row}, {self.column}: {promise}"
        if not isinstance(seen, float | int):
            return f"not measured  {what}"
        return f"{'met   ' if self.met(seen) else 'missed'}  {what}; measured {number(seen)}"

    def met(self, seen: float) -> bool:
        """Whether it is kept."""
        return seen >= self.bound if self.at_least else seen <= self.bound


def number(value: float) -> str:
    """A figure with as many digits as it is worth."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(title: str, figures: Figures, columns: Sequence[str]) -> str:
    """The figures under a title, the columns as wide as they need to be."""
    cells = [["", *columns]]
    for row, measured in figures.items():
        if (reason := measured.get("missing")) is not None:
            cells.append([row, str(reason)])
            continue
        cells.append([row, *(cell(measured.get(column)) for column in columns)])
    full = [line for line in cells if len(line) > 2]
    widths = [max(len(line[i]) for line in full) for i in range(len(columns) + 1)]
    widths[0] = max(len(line[0]) for line in cells)
    lines = [
        "  ".join(
            text.ljust(width) if i == 0 or len(line) <= 2 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=False))
        ).rstrip()
        for line in cells
    ]
    return "\n".join([title, *lines])


def cell(value: float | str | None) -> str:
    """One figure, a dash where there is none."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else number(value)


def record(figures: Figures, versions: Mapping[str, str]) -> dict[str, object]:
    """The whole run as plain data that says nothing about whose machine it was."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "processors": os.cpu_count(),
        "versions": dict(versions),
        "figures": {row: rounded(measured) for row, measured in figures.items()},
    }


def rounded(measured: Mapping[str, float | str | None]) -> dict[str, float | str | None]:
    """Three digits are more than these figures are worth."""
    return {
        column: float(f"{value:.3g}") if isinstance(value, float) else value
        for column, value in measured.items()
    }


def save(line: Mapping[str, object], history: Path) -> None:
    """Append a run to the history."""
    history.parent.mkdir(exist_ok=True)
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, sort_keys=True) + "\n")
