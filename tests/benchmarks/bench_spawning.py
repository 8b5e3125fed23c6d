"""What it costs to run agents as processes, beside what people use today: a table for each row.

    python tests/benchmarks/bench_spawning.py [--rows cpu,memory] [--quick] [--json] [--save]

Needs Linux. Peers that are not installed are named and left out; they are the dependency group
`bench`. All figures are medians; ratios hold for one machine and one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path

from spawning.harness import Table, measure

ROWS = (
    "cpu",
    "memory",
    "idle",
    "exit_latency",
    "detection_latency",
    "throughput",
    "scanning",
    "scheduling",
    "crowd",
    "load",
    "growth",
    "imports",
    "help_text",
)
PEERS = ("aiometer", "anyio", "trio", "typer")
HISTORY = Path(__file__).parent / "history" / "spawning.jsonl"


def machine() -> dict[str, object]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(":")[2].strip() for line in cpus.splitlines() if "model name" in line]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
    }


def peers() -> dict[str, str]:
    """The versions of those that take part."""
    found: dict[str, str] = {}
    for name in PEERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def say(text: str) -> None:
    """Show what is going on, where somebody may look on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Measure, print, and save if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", help=f"some of {','.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there as well")
    parser.add_argument("--save", action="store_true", help=f"append it to {HISTORY.name}")
    options = parser.parse_args()
    rows = options.rows.split(",") if options.rows else list(ROWS)
    if unknown := set(rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")

    tables: dict[str, Table] = {}
    for key in rows:
        tables[key] = measure(
            key, import_module(f"spawning.{key}").ROW, quick=options.quick, say=say
        )
        say("")
        if not options.json:
            print(*tables[key].lines(), "", sep="\n", flush=True)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": machine(),
        "peers": peers(),
        "quick": options.quick,
        "rows": {key: table.as_json() for key, table in tables.items()},
    }
    if options.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    if options.out:
        options.out.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.save:
        HISTORY.parent.mkdir(exist_ok=True)
        with HISTORY.open("a", encoding="utf-8") as history:
            history.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
