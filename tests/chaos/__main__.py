"""Attack real runs with kills, full disks and lack of everything; nothing may be lost or left.

python -m tests.chaos [--seconds S] [-j J]   new experiments, for a while
python -m tests.chaos SEED                   replay one and tell what happened
"""

from __future__ import annotations

import argparse
import os
import pprint
import random
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context

from .drawing import TARGETS, Experiment, TargetName, draw
from .experiment import Verdict, conduct
from .processes import adopt_orphans, command_line, descendants


def main() -> int:
    """Parse the arguments, conduct, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seed", nargs="?", type=int, help="replay this one")
    parser.add_argument("--seconds", type=float, default=60.0, help="when to begin no more")
    parser.add_argument("--target", choices=TARGETS, help="this one only")
    parser.add_argument("-j", "--jobs", type=int, default=2 * (os.cpu_count() or 1), help="at once")
    options = parser.parse_args()
    if options.seed is not None:
        experiment = draw(options.seed)
        pprint.pp(experiment, width=120)
        verdict = conduct(experiment)
        tell(experiment, verdict)
        return conclude([verdict])
    return conclude(many(options.seconds, options.jobs, options.target))


def new(target: TargetName | None) -> Iterator[Experiment]:
    """Experiments of new seeds; of one target only, if one is named."""
    while True:
        experiment = draw(random.SystemRandom().randrange(10**9))
        if target in (None, experiment.target):
            yield experiment


def many(seconds: float, jobs: int, target: TargetName | None) -> list[Verdict]:
    """New experiments, several at once, until the time is over."""
    deadline = time.monotonic() + seconds
    experiments = new(target)
    verdicts: list[Verdict] = []
    # A process of its own for each: the orphans that come to it are of its experiment.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool:
        running: dict[Future[Verdict], Experiment] = {}
        while running or time.monotonic() < deadline:
            while len(running) < jobs and time.monotonic() < deadline:
                experiment = next(experiments)
                running[pool.submit(conduct, experiment)] = experiment
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                experiment = running.pop(future)
                try:
                    verdicts.append(future.result())
                except Exception as error:
                    error.add_note(f"replay: make chaos CHAOS={experiment.seed}")
                    raise
                tell(experiment, verdicts[-1])
    return verdicts


def tell(experiment: Experiment, verdict: Verdict) -> None:
    """A line on what was done, and more if a promise was broken."""
    counted = Counter(map(str, verdict.faults))
    hits = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counted.items())
    print(
        f"{'BROKEN' if verdict.broken else 'ok    '} {experiment.seed:>9}  {experiment.target:7}  "
        f"{len(experiment.agents):2} agents, {len(experiment.rounds) + 1} rounds, "
        f"{verdict.answers:2} answers, {verdict.seconds:4.1f} s  {hits}"
    )
    if verdict.broken:
        print(textwrap.indent("\n".join([*verdict.broken, verdict.errors[:5000]]), " " * 7))
        print(f"       replay: make chaos CHAOS={experiment.seed}; its files: {verdict.folder}")
    sys.stdout.flush()


def conclude(verdicts: list[Verdict]) -> int:
    """The sum of it; the exit code."""
    broken = [verdict for verdict in verdicts if verdict.broken]
    faults = Counter(fault.what for verdict in verdicts for fault in verdict.faults)
    for what, count in faults.most_common():
        print(f"{count:6} x {what}")
    # The pool's own ends with us.
    left = [each for each in descendants() if "resource_tracker" not in command_line(each)]
    for process in left:
        print(f"left running: {process.pid} {command_line(process)}")
    print(
        f"{len(verdicts)} experiments, {faults.total()} faults, "
        f"{sum(verdict.answers for verdict in verdicts)} answers kept: "
        f"{len(broken)} experiments with a broken promise, {len(left)} processes left"
    )
    return int(bool(broken or left))


if __name__ == "__main__":
    adopt_orphans()
    sys.exit(main())
