"""The breaker beside the others: what a guarded call, a key and a shared decision cost.

    python tests/benchmarks/bench_breaker.py [--rows NAME ...] [--quick] [--json] [--save]

Calls and blocks are given in empty awaited functions (`await empty()`), measured again beside each
of them; all is healthy, and the calls include the empty function that they guard. A column that
says `keys` goes through that many of them in turn.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from breaker.libraries import LIBRARIES, Library
from breaker.measure import Yardstick, awaiting, bytes_per_key, calling
from breaker.report import Figures, Target, record, save, table
from breaker.stores import STORES, NotHere

HISTORY = Path(__file__).with_name("history") / "breaker.jsonl"

OURS = "aurora-circuit-breaker"
SQLITE = f"{OURS}, SQLite"
REDIS = f"{OURS}, Redis"

ASYNC, SYNC, WITH, ASYNC_WITH = "async call", "sync call", "with", "async with"
BY_KEY, ASK, ASK_KEYS = "100k keys", "ask open, ns", "100k keys, ns"
TELL, TELL_KEYS, HEALTHY, FAILED = "tell, ns", "100k new, ns", "bytes, healthy", "bytes, failed"
IN_MEMORY = (
    *(ASYNC, SYNC, WITH, ASYNC_WITH, BY_KEY, ASK, ASK_KEYS),
    *(TELL, TELL_KEYS, HEALTHY, FAILED),
)

ONE, FOUR, LOST = "/s, 1 process", "/s, 4 processes", "lost"
TRIPS, TRIPS_OPEN, TRIPS_TURN = "trips, healthy", "trips, refused", "trips, turn"
SHARED = (ONE, FOUR, LOST, TRIPS, TRIPS_OPEN, TRIPS_TURN)

TARGETS = (
    Target(OURS, ASYNC, 3.5),
    Target(OURS, SYNC, 5.0),
    Target(OURS, WITH, 7.0),
    Target(OURS, ASK, 300.0),
    Target(OURS, TELL, 800.0),
    Target(OURS, HEALTHY, 0.0),
    Target(OURS, FAILED, 200.0),
    Target(SQLITE, ONE, 10_000.0, at_least=True),
    Target(SQLITE, FOUR, 10_000.0, at_least=True),
    Target(SQLITE, LOST, 0.0),
    Target(REDIS, TRIPS, 2.0),  # a call is two decisions, and so is a turn
    Target(REDIS, TRIPS_OPEN, 1.0),
    Target(REDIS, TRIPS_TURN, 2.0),
    Target(REDIS, LOST, 0.0),
)


def in_memory(library: Library, quick: bool) -> dict[str, float | str | None]:
    """The figures of one library that keeps its circuits in this process."""
    yardstick = Yardstick(rounds=5 if quick else 21, times=2_000 if quick else 10_000)
    number = 2_000 if quick else 100_000
    keys = [f"agent-{i}" for i in range(number)]
    one = keys[:1]
    figures: dict[str, float | str | None] = {}
    if call := library.async_call():
        figures[ASYNC] = yardstick.async_ratio(awaiting(call))
    if sync_call := library.sync_call():
        figures[SYNC] = yardstick.ratio(calling(sync_call))
    if block := library.sync_block():
        figures[WITH] = yardstick.ratio(block)
    if async_block := library.async_block():
        figures[ASYNC_WITH] = yardstick.async_ratio(async_block)
    if by_key := library.by_key(keys):
        figures[BY_KEY] = Yardstick(yardstick.rounds, number).async_ratio(by_key)
    if ask := library.ask_when_open(one):
        figures[ASK] = yardstick.nanoseconds(ask)
    if ask := library.ask_when_open(keys):
        figures[ASK_KEYS] = Yardstick(yardstick.rounds, number).nanoseconds(ask)
    if tell := library.tell_failure(one):
        figures[TELL] = yardstick.nanoseconds(tell)
    if tell := library.tell_failure(keys):
        figures[TELL_KEYS] = yardstick.nanoseconds(tell, times=number)
    few = keys[: 500 if quick else 20_000]
    figures[HEALTHY] = bytes_per_key(type(library)().healthy, few)
    figures[FAILED] = bytes_per_key(type(library)().failed, few)
    return figures


def measure(names: list[str] | None, quick: bool) -> tuple[Figures, dict[str, str]]:
    """Every row that was asked for, and the versions that were run."""
    figures: dict[str, dict[str, float | str | None]] = {}
    versions: dict[str, str] = {}
    for kind in LIBRARIES:
        name = kind.distribution
        if names and name not in names:
            continue
        print(f"measuring {name}", file=sys.stderr)
        version = kind.version()
        if version is None:
            figures[name] = {"missing": "not installed"}
            continue
        versions[name] = version
        figures[name] = in_memory(kind(), quick)
    for name, store in STORES.items():
        if names and name not in names:
            continue
        print(f"measuring {name}", file=sys.stderr)
        try:
            figures[name] = store(quick)
        except NotHere as missing:
            figures[name] = {"missing": str(missing)}
    return figures, versions


def main() -> None:
    """Measure, show, and keep if asked to."""
    rows = [*(kind.distribution for kind in LIBRARIES), *STORES]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", metavar="NAME", choices=rows, help=", ".join(rows))
    parser.add_argument("--quick", action="store_true", help="few turns: whether it runs at all")
    parser.add_argument("--json", action="store_true", help="one line of JSON and nothing else")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write that line there as well")
    parser.add_argument("--save", action="store_true", help=f"append that line to {HISTORY.name}")
    options = parser.parse_args()

    logging.disable()  # an opening is told in the log, and tens of thousands are not to be read
    figures, versions = measure(options.rows, options.quick)
    line = {**record(figures, versions), "quick": options.quick}
    if options.json:
        print(json.dumps(line, sort_keys=True))
    else:
        show(figures)
    if options.out:
        options.out.write_text(json.dumps(line, sort_keys=True) + "\n", encoding="utf-8")
    if options.save:
        save(line, HISTORY)


def show(figures: Figures) -> None:
    """The tables, then the targets."""
    shared = {name: figures[name] for name in STORES if name in figures}
    local = {name: measured for name, measured in figures.items() if name not in shared}
    if local:
        print(
            table("In one process (calls and blocks in empty awaited functions)", local, IN_MEMORY)
        )
        print()
    if shared:
        print(table("Shared (turns of one check and one record; round trips)", shared, SHARED))
        print()
    for target in TARGETS:
        if target.row in figures:
            print(target.verdict(figures))


if __name__ == "__main__":
    main()
