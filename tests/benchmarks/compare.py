"""Compare runs of benchmarks with the last one that is kept.

    python tests/benchmarks/compare.py FILE ...

Each file is what `--out FILE` of a benchmark wrote; its name begins with that of its history:
`spawning.json`, `spawning-2.json`. Of several runs of one benchmark, each figure counts where it
came out best. Exits 1 if a figure, beside its peers, is more than twice as bad as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from ratios import FAILS, WARNS, Change, best_of, changes, comparable

HISTORY = Path(__file__).parent / "history"


def main() -> int:
    """Read, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--history", type=Path, default=HISTORY, help="a folder of .jsonl files")
    options = parser.parse_args()
    by_name: dict[str, list[dict[str, Any]]] = {}
    for file in options.files:
        name = file.stem.partition("-")[0]
        by_name.setdefault(name, []).append(json.loads(file.read_text(encoding="utf-8")))
    failed = False
    for name, records in by_name.items():
        found = compared(records, options.history / f"{name}.jsonl")
        if found is None:
            print(f"{name}: no run of this size on this Python is kept; nothing to compare with")
            continue
        for change in sorted(found, key=lambda each: -each.worse):
            if change.verdict != "fine":
                print(f"{_mark(change)}{change}")
        worst = max((change.worse for change in found), default=0.0)
        print(f"{name}: {len(found)} figures; the worst is {worst:.2f} times as bad as before")
        failed = failed or worst > FAILS
    return int(failed)


def compared(records: list[dict[str, Any]], history: Path) -> list[Change] | None:
    """What has changed since the last comparable run; None if there is none."""
    kept = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    before = comparable(records[0], map(json.loads, kept))
    return None if before is None else best_of(changes(record, before) for record in records)


def _mark(change: Change) -> str:
    """What a line begins with; GitHub shows its own commands beside the change."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return "::error::" if change.verdict == "fails" else "::warning::"
    return (
        f"FAILS (above {FAILS:g})  " if change.verdict == "fails" else f"warns (above {WARNS:g})  "
    )


if __name__ == "__main__":
    sys.exit(main())
