"""One experiment: rounds under fire, an undisturbed one that finishes the work, and the verdict."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.machines import Machines

from .disk import Disk
from .drawing import MACHINES, Experiment, Fault, Round
from .faults import Attack, agents_of
from .processes import adopt_orphans, command_line, descendants, parent_of, reap
from .promises import Seen, broken_promises
from .reading import Pipe
from .targets import Target, finished, target_of

__all__ = ["Verdict", "conduct"]

# Seconds after which a round is stuck, and in which everybody has to be gone after it.
_ENDS_WITHIN = 100.0
_GONE_WITHIN = 15.0

# How often the processes are looked at, seconds.
_EVERY = 0.03


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an experiment.

    Attributes:
        seed: What it was drawn from.
        broken: The promises that were broken, one line each.
        faults: What really hit somebody.
        answers: How many answers were kept at the end.
        seconds: What it took.
        errors: What the target said on standard error.
        folder: All that was written, if a promise was broken; otherwise it is gone.
    """

    seed: int
    broken: tuple[str, ...]
    faults: tuple[Fault, ...]
    answers: int
    seconds: float
    errors: str
    folder: Path


def conduct(experiment: Experiment) -> Verdict:
    """Conduct an experiment.

    To be called in a process of its own: every orphan below it comes to it.
    """
    adopt_orphans()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{experiment.seed}-"))
    with _stage(experiment, folder) as stage:
        rounds = [stage.play(each) for each in experiment.rounds]
        stage.calm()
        rounds.append(stage.play(Round(), last=True))
    broken = broken_promises(experiment, rounds)
    if left := stage.left(()):
        broken += [f"left running at the end: {line}" for line in left]
    if not broken:
        shutil.rmtree(folder)
    return Verdict(
        experiment.seed,
        tuple(broken),
        tuple(fault for seen in rounds for fault in seen.faults),
        len(rounds[-1].kept),
        time.monotonic() - began,
        "\n".join(seen.errors for seen in rounds),
        folder,
    )


@contextmanager
def _stage(experiment: Experiment, folder: Path) -> Iterator[_Stage]:
    ledgers, kept = folder / "ledgers", folder / "kept"
    ledgers.mkdir(parents=True)
    kept.mkdir()
    disk = Disk(kept)
    if experiment.disk is not None:
        disk.mount(experiment.disk)
    machines = None
    try:
        if experiment.target == "cluster":
            machines = Machines(ledgers)
        target = target_of(experiment, ledgers, kept, machines)
        yield _Stage(experiment, target, disk, machines)
    finally:
        if machines is not None:
            machines.close()
        if experiment.disk is not None:
            disk.unmount()


class _Stage:
    """Where the rounds of an experiment are played."""

    def __init__(
        self, experiment: Experiment, target: Target, disk: Disk, machines: Machines | None
    ) -> None:
        self._experiment = experiment
        self._target = target
        self._disk = disk
        self._machines = machines

    def calm(self) -> None:
        """From now on there is room on the disk."""
        if self._experiment.disk is not None:
            self._disk.enlarge()

    def play(self, each: Round, *, last: bool = False) -> Seen:
        """Start the target, do to it what the round says, and see what is there afterwards."""
        if self._machines is not None:
            self._machines.have(*MACHINES)
        pipe = Pipe(each.reader)
        errors = self._target.ledgers / "errors"
        errors.unlink(missing_ok=True)
        process = self._start(each, pipe, errors, last=last)
        attack = Attack(each.faults, self._target, process.pid, self._machines)
        most, stuck = self._watch(process, attack)
        attack.mend()
        left = self.left((process.pid,))
        stuck = stuck or not pipe.join(_GONE_WITHIN)
        return Seen(
            process.returncode,
            self._target.told(pipe.out),
            finished(self._target),
            self._ledger("began"),
            self._ledger("ended"),
            most,
            left,
            errors.read_text(encoding="utf-8", errors="replace"),
            stuck,
            attack.inflicted,
        )

    def left(self, but: tuple[int, ...]) -> tuple[str, ...]:
        """What still runs when all should be gone; it is killed then."""
        deadline = time.monotonic() + _GONE_WITHIN
        ours = self._pids_of_machines()
        while True:
            reap({*but, *ours})
            found = [
                process
                for process in descendants()
                if process.pid not in ours
                and not (ours and "descendants.py lifeline" in command_line(process))
            ]
            if not found:
                return ()
            if time.monotonic() > deadline:
                told = tuple(f"{process.pid} {command_line(process)[:200]}" for process in found)
                for process in found:
                    process.kill()
                return told
            time.sleep(_EVERY)

    def _pids_of_machines(self) -> set[int]:
        return {machine.pid for machine in self._machines.started} if self._machines else set()

    def _start(
        self, each: Round, pipe: Pipe, errors: Path, *, last: bool
    ) -> subprocess.Popen[bytes]:
        command = self._target.argv(last=last)
        if each.descriptors is not None:
            command = ["sh", "-c", f'ulimit -n {each.descriptors}; exec "$@"', "sh", *command]
        ledgers = self._target.ledgers
        own = {"HOME": str(ledgers), "XDG_STATE_HOME": str(ledgers), "PYTHONPATH": os.getcwd()}
        with errors.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=pipe.write_end,
                stderr=file,
                cwd=self._target.kept,
                env={**os.environ, **own},
                # A hang-up that is meant for its job is not for us.
                start_new_session=True,
            )
        pipe.start()
        return process

    def _watch(self, process: subprocess.Popen[bytes], attack: Attack) -> tuple[int | None, bool]:
        """Until it has ended: the most agents at once, and whether it had to be killed."""
        began = time.monotonic()
        most = 0
        while process.poll() is None:
            elapsed = time.monotonic() - began
            if elapsed > _ENDS_WITHIN:
                for each in descendants():
                    if each.pid not in self._pids_of_machines():
                        each.send_signal(signal.SIGKILL)
                process.wait()
                return most, True
            attack.advance(elapsed)
            if self._machines is None:
                most = max(most, self._at_once(process.pid))
                reap((process.pid,))
            time.sleep(_EVERY)
        return (most if self._machines is None else None), False

    def _at_once(self, pid: int) -> int:
        worker = self._target.parts(pid).get("worker")
        if worker is None:
            return 0
        began = str(self._target.ledgers / "began")
        return sum(
            began in command_line(process)
            for process in agents_of(self._target, pid, None)
            if parent_of(process) == worker.pid
        )

    def _ledger(self, name: str) -> Counter[str]:
        file = self._target.ledgers / name
        return Counter(file.read_text().split()) if file.exists() else Counter()
