"""Several processes on one circuit: nothing lost, and never one probe too many."""

import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from aurora_circuit_breaker import CircuitBreaker

from .crowd_worker import RESET, store_of

WORKER = Path(__file__).with_name("crowd_worker.py")
PROCESSES = 8

# Seconds, a net: nothing here takes a tenth of it.
PATIENCE = 60


class Worker:
    """One process."""

    def __init__(self, address: str, probes: int, lease: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, WORKER, address, str(probes), str(lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        return self.process.stdout.readline().strip()

    def ask(self, line: str) -> str:
        self.tell(line)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


@pytest.fixture(params=["sqlite", "redis"])
def address(request, tmp_path):
    """Where the circuits are."""
    if request.param == "sqlite":
        return str(tmp_path / "circuits.db")
    server = request.getfixturevalue("redis_server")
    from redis import Redis

    with Redis.from_url(server.url) as client:
        client.flushdb()
    return server.url


@pytest.fixture
def hire(address):
    """Starts workers, which have not asked anything yet; nobody survives the test."""
    with ExitStack() as stack:

        def start(count: int, probes: int = 1, lease: float = PATIENCE) -> list[Worker]:
            workers = [stack.enter_context(Worker(address, probes, lease)) for _ in range(count)]
            assert [worker.answer() for worker in workers] == ["ready"] * count
            return workers

        yield start


@pytest.fixture
def seen(address):
    """A breaker of this process, to look at the circuits with."""
    return CircuitBreaker(store=store_of(address), reset_timeout=RESET)


def trip(breaker: CircuitBreaker) -> None:
    breaker.record_failure("x")
    breaker.record_failure("x")


@pytest.mark.parametrize("probes", [1, 3])
def test_f47_exactly_n_of_eight_processes(hire, seen, repetitions, probes):
    """F47, F53: at each reset as many of 8 processes run as may probe, whoever asks first."""
    workers = hire(PROCESSES, probes)
    trip(seen)
    chance = random.Random(repetitions)
    for _ in range(repetitions):
        while seen.is_open("x"):
            time.sleep(0.001)
        chance.shuffle(workers)
        for worker in workers:
            worker.tell("admit")
        answers = [worker.answer() for worker in workers]
        assert answers.count("granted") == probes
        # The first to fail opens again; the others' results are from before that.
        for worker, answer in zip(workers, answers, strict=True):
            if answer == "granted":
                assert worker.ask("settle failure") == "done"


def test_f53_no_failure_is_lost(hire, seen):
    """F53: what 8 processes tell at once is all counted."""
    workers = hire(PROCESSES)
    for worker in workers:
        worker.tell("fail tally 100")
    assert [worker.answer() for worker in workers] == ["done"] * PROCESSES
    assert seen.get_health_status("tally")["failure_count"] == PROCESSES * 100


def test_f48_the_slot_of_a_killed_holder_comes_back(hire, seen):
    """F48: a probe whose process is killed is followed by another one when its lease ends."""
    lease = 1.0
    holder, other = hire(2, lease=lease)
    trip(seen)
    before = time.monotonic()
    while holder.ask("admit") == "refused":
        time.sleep(0.001)
    holder.kill()
    while other.ask("admit") == "refused":
        assert time.monotonic() < before + PATIENCE
        time.sleep(0.01)
    assert time.monotonic() - before >= lease * 0.9


class Hold(NamedTuple):
    """A probe that was surely held from `start` to `end`; `asked` is when it wanted to."""

    asked: float
    start: float
    end: float


class Outcome(NamedTuple):
    """A failure that was told at some time from `begun` to `ended`, and ended all probes."""

    begun: float
    ended: float


class History:
    """What the logs of all workers say."""

    def __init__(self, logs: list[Path], lease: float) -> None:
        self.telling = self.told = 0
        self.holds: list[Hold] = []
        self.failures: list[Outcome] = []
        for log in logs:
            self._read([line.split() for line in log.read_text().splitlines()], lease)

    def _read(self, lines: list[list[str]], lease: float) -> None:
        asked = start = begun = 0.0
        how = ""
        for line in lines:
            match line:
                case ["telling"]:
                    self.telling += 1
                case ["told"]:
                    self.told += 1
                case ["asking", moment]:
                    asked, start = float(moment), 0.0
                case ["holding", moment]:
                    start = float(moment)
                case ["settling", moment, how]:
                    begun = float(moment)
                    self.holds.append(Hold(asked, start, min(begun, asked + lease)))
                    start = 0.0
                case ["settled", moment] if how == "failure":
                    self.failures.append(Outcome(begun, float(moment)))
        if lines and lines[-1][0] == "settling" and how == "failure":
            # Killed while it told: nobody knows when, or whether, that was heard.
            self.failures.append(Outcome(begun, begun + PATIENCE))
        if start:
            # Killed while it held: the slot comes back when the lease ends.
            self.holds.append(Hold(asked, start, asked + lease))

    def most_at_once(self) -> int:
        """How many probes were surely held at one moment."""
        changes = []
        for hold in self.holds:
            # A failure that may have been heard since it asked has made it stale.
            stale = [told.begun for told in self.failures if told.ended > hold.asked]
            end = min([hold.end, *(begun for begun in stale if begun < hold.end)])
            if end > hold.start:
                changes += [(hold.start, 1), (end, -1)]
        now = most = 0
        for _, change in sorted(changes):
            now += change
            most = max(most, now)
        return most


@pytest.mark.parametrize("probes", [1, 2])
def test_f48_f53_a_history_with_killed_processes(hire, seen, repetitions, probes, tmp_path):
    """F48, F53: while random processes are killed and replaced, no failure that was acknowledged
    is lost, none is counted twice, and never do more hold a probe than may."""
    lease = 0.3
    chance = random.Random(repetitions)
    logs: list[Path] = []

    def start(worker: Worker) -> tuple[Worker, Path]:
        logs.append(tmp_path / f"{len(logs)}.log")
        worker.tell(f"traffic {chance.randrange(10**9)} {logs[-1]}")
        return worker, logs[-1]

    trip(seen)
    running = [start(worker) for worker in hire(4, probes, lease)]
    for _ in range(max(3, repetitions // 10)):
        deadline = time.monotonic() + PATIENCE
        while not all(log.exists() and log.read_text().count("told") > 3 for _, log in running):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(chance.random() * 0.1)
        victim, _ = running.pop(chance.randrange(len(running)))
        victim.kill()
        running += [start(worker) for worker in hire(1, probes, lease)]
    for worker, _ in running:
        worker.kill()

    history = History([log for log in logs if log.exists()], lease * 0.9)
    counted = seen.get_health_status("tally")["failure_count"]
    assert history.told <= counted <= history.telling
    assert len(history.holds) > 3
    assert history.most_at_once() <= probes
