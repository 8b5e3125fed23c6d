"""What the figures of a run of benchmarks say beside those of an earlier one; pure.

A figure of ours is divided by what its peers took in the same run, and that ratio is compared with
the same ratio of the earlier run: what a slower machine does to one, it does to both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Any

__all__ = ["FAILS", "WARNS", "Change", "best_of", "changes", "comparable"]

WARNS = 1.25
"""So many times as much as before is worth a look; less is what runs differ by."""

FAILS = 2.0
"""No run differs from the next one by so much without a reason."""

_Tables = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of ours, then and now.

    Attributes:
        table: What was measured.
        row: Which of us.
        column: In what.
        before: Times what the peers took, in the earlier run.
        now: The same, in this one.
        worse: How many times worse it is now; below 1 it is better.
    """

    table: str
    row: str
    column: str
    before: float
    now: float
    worse: float

    @property
    def verdict(self) -> str:
        """`fails`, `warns` or `fine`."""
        return "fails" if self.worse > FAILS else "warns" if self.worse > WARNS else "fine"

    def __str__(self) -> str:
        return (
            f"{self.table}, {self.row}, {self.column}: {self.now:.3g} x its peers, "
            f"before {self.before:.3g} x; {self.worse:.2f} times as bad"
        )


def comparable(record: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Any:
    """The latest record of the same size on the same Python; None if there is none."""

    def kind(each: Mapping[str, Any]) -> tuple[bool, list[str]]:
        return bool(each.get("quick")), str(each["python"]).split(".")[:2]

    return next((each for each in reversed(list(history)) if kind(each) == kind(record)), None)


def changes(record: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Change]:
    """Every figure of ours that has peers in both runs; a figure of 0 has no ratio."""
    old, new = _tables(before), _tables(record)
    for table, rows in new.items():
        for row, figures in rows.items():
            if not _is_ours(row):
                continue
            for column, figure in figures.items():
                then = old.get(table, {}).get(row, {}).get(column, 0.0)
                peers = _peers(column, rows, old.get(table, {}))
                if not (figure > 0 and then > 0 and peers):
                    continue
                now = figure / geometric_mean(rows[peer][column] for peer in peers)
                was = then / geometric_mean(old[table][peer][column] for peer in peers)
                # Of a rate, more is better.
                worse = was / now if "/s" in column else now / was
                yield Change(table, row, column, was, now, worse)


def best_of(runs: Iterable[Iterable[Change]]) -> list[Change]:
    """Each figure where it came out best: a busy machine can only make it worse."""
    best: dict[tuple[str, str, str], Change] = {}
    for change in (each for run in runs for each in run):
        key = (change.table, change.row, change.column)
        if key not in best or change.worse < best[key].worse:
            best[key] = change
    return list(best.values())


def _peers(column: str, *runs: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Those that are not ours and have this figure in every run."""
    return [
        row
        for row in runs[0]
        if not _is_ours(row) and all(run.get(row, {}).get(column, 0.0) > 0 for run in runs)
    ]


def _is_ours(row: str) -> bool:
    return row.startswith("aurora")


def _tables(record: Mapping[str, Any]) -> _Tables:
    """The figures by table, row and column; texts that stand in their place are left out."""
    raw = (
        {name: table["figures"] for name, table in record["rows"].items()}
        if "rows" in record
        else {"breaker": record["figures"]}
    )
    return {
        name: {
            row: {
                column: float(value)
                for column, value in figures.items()
                if isinstance(value, int | float)
            }
            for row, figures in rows.items()
        }
        for name, rows in raw.items()
    }
