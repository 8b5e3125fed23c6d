"""Simulate whole runs, or replay one.

python -m tests.simulation SEED              replay one and tell what happened
python -m tests.simulation --runs N [-j J]   runs 0 to N - 1, on J processors
"""

from __future__ import annotations

import argparse
import os
import pprint
import sys
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter

from .drawing import draw, size_of
from .simulate import simulate
from .world import play


def main() -> int:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", nargs="?", type=int, help="replay this one")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed)
    return many(range(options.first, options.first + options.runs), options.jobs)


def replay(seed: int) -> int:
    """One run, told in full."""
    scenario = draw(seed)
    pprint.pp(scenario, width=120)
    for entry in play(scenario).entries:
        about = entry.attempt or ""
        ended = entry.attempt.result if entry.what == "ended" and entry.attempt else ""
        print(f"{entry.at:12.4f}  {entry.what:9}  {about}  {entry.told or ended}")
    failures = simulate(seed)
    print(*(failures or ["every promise kept"]), sep="\n")
    return int(bool(failures))


def many(seeds: range, jobs: int) -> int:
    """Many runs; those that break a promise are named."""
    began, failed = perf_counter(), 0
    with ProcessPoolExecutor(jobs) as pool:
        for seed, failures in zip(seeds, pool.map(simulate, seeds, chunksize=50), strict=True):
            if failures:
                failed += 1
                print(*failures, sep="\n", flush=True)
            done = seed - seeds.start + 1
            if done % 10_000 == 0:
                print(f"{done} runs, {failed} failed", file=sys.stderr, flush=True)
    agents = sum(map(size_of, seeds))
    seconds = perf_counter() - began
    print(f"{len(seeds)} runs, {agents} agents, {failed} failed, {seconds:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
