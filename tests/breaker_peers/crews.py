"""Several worker processes on one circuit in Redis: what is done to them, and what is seen.

Like the scenarios of one process, none of these asserts what a library must do.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .shared import LEASE

WORKER = Path(__file__).with_name("worker.py")
PROCESSES = 8

SOON = 1.0
"""Seconds until a probe, where the scenario waits for it: the server's clock cannot be moved."""

LATER = 60.0
"""Seconds until a probe, where the scenario is over by then."""


class Worker:
    """One process."""

    def __init__(self, library: str, url: str, threshold: int, reset: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, WORKER, library, url, str(threshold), str(reset)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def call(self) -> str:
        """Begin a call; `running` or `refused`."""
        self.tell("call")
        return self.answer()

    def end(self, how: str) -> None:
        """End the running call."""
        self.tell(how)
        assert self.answer() == "done"

    def fail(self) -> None:
        """A whole call that fails, if it may run."""
        if self.call() == "running":
            self.end("fail")

    def hear_of_the_opening(self) -> None:
        """Ask until refused."""
        while self.call() != "refused":
            self.end("ok")

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def crew(
    library: str, url: str, size: int, reset: float, threshold: int = 1
) -> Iterator[list[Worker]]:
    """Processes that have started, and have not asked anything yet."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(library, url, threshold, reset)) for _ in range(size)]
        assert [worker.answer() for worker in workers] == ["ready"] * size
        yield workers


def wait_for_reset() -> None:
    """Let the server's clock pass the reset time."""
    time.sleep(SOON + 0.2)


def processes_at_reset(library: str, url: str) -> int:
    """How many of 8 processes run at the moment at which the circuit may be probed."""
    with crew(library, url, PROCESSES, SOON) as workers:
        workers[0].fail()
        wait_for_reset()
        for worker in workers:
            worker.tell("call")
        return [worker.answer() for worker in workers].count("running")


def first_question_of_a_fresh_process(library: str, url: str) -> str:
    """What a process gets that was not there when the others opened the circuit."""
    with crew(library, url, 2, LATER) as (one, fresh):
        one.fail()
        assert one.call() == "refused"
        return fresh.call()


def after_the_probe_was_killed(library: str, url: str) -> bool:
    """Whether anybody runs within three leases of a probe that was killed, others asking on."""
    with crew(library, url, 2, SOON) as (holder, other):
        holder.fail()
        other.hear_of_the_opening()
        wait_for_reset()
        assert holder.call() == "running"
        holder.process.kill()
        holder.process.wait()
        deadline = time.monotonic() + 3 * LEASE
        while time.monotonic() < deadline:
            if other.call() == "running":
                return True
            time.sleep(LEASE / 30)
        return False


def refused_after_failures_everywhere(library: str, url: str) -> int:
    """How many of 8 processes are refused after 4 failures in each, when 5 open the circuit."""
    with crew(library, url, PROCESSES, LATER, threshold=5) as workers:
        for _ in range(4):
            for worker in workers:
                worker.fail()
        return [worker.call() for worker in workers].count("refused")
