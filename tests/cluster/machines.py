"""A Dask cluster of real processes, which tests kill, stop and cut off one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

SLOTS = 2

# Quick to notice that somebody is gone: eleven seconds are the least that Dask takes.
QUICK = {"distributed.comm.timeouts.tcp": "11s", "distributed.comm.timeouts.connect": "5s"}
QUICK_VARIABLES = {
    f"DASK_{name.upper().replace('.', '__')}": value for name, value in QUICK.items()
}

# A worker looks a hundred times a second what its threads do, for a page that nobody opens here.
_UNOBSERVED = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}

# Should nobody be left to end a scheduler, it ends itself, and its workers with it.
_ORPHANED = ("--idle-timeout", "10 minutes")


def until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that takes as long as the machine takes."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


async def soon(happened: Callable[[], object]) -> None:
    """Wait for it while the event loop goes on."""
    await asyncio.to_thread(until, happened)


class Machines:
    """A scheduler and its workers, each a process of its own.

    Args:
        folder: For their logs.
        host: Where the scheduler listens.
        more: Further arguments of the scheduler.
        environment: What all of them are told by variables.
    """

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        *,
        more: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._folder = folder
        self._host = host
        self._environment = {**os.environ, **_UNOBSERVED, **QUICK_VARIABLES, **environment}
        self.started: list[subprocess.Popen[bytes]] = []
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.scheduler = self.start(
            "scheduler",
            (
                "--host",
                host,
                "--port",
                "0",
                "--dashboard-address",
                "127.0.0.1:0",
                *_ORPHANED,
                *more,
            ),
        )
        self.address = ""
        until(self._listens)

    def _listens(self) -> bool:
        log = self.log("scheduler")
        self.address = log.partition("Scheduler at:")[2].split("\n")[0].strip()
        return "://" in self.address

    def start(
        self, role: str, arguments: Sequence[str], *, name: str = "", inside: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start one of them, by way of the command `inside` if there is one."""
        program = [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments]
        with open(self._folder / f"{name or role}.log", "ab") as log:
            process = subprocess.Popen(
                [*inside, *program],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
            )
        self.started.append(process)
        return process

    def begin_worker(
        self, name: str, slots: int = SLOTS, *, more: Sequence[str] = (), inside: Sequence[str] = ()
    ) -> None:
        """Start a worker, without waiting for it."""
        # Without a host it would listen to every network there is.
        here = () if inside else ("--host", self._host)
        self.workers[name] = self.start(
            "worker",
            (
                *(self.address, "--name", name, "--no-nanny", "--no-dashboard"),
                *("--nthreads", str(slots), "--local-directory", str(self._folder), *here, *more),
            ),
            name=name,
            inside=inside,
        )

    def have(self, *names: str) -> None:
        """Have these workers; those that are gone are started anew."""
        for name in names:
            self.begin_anew(name)
        until(lambda: all(map(self._is_ready, names)))

    def begin_anew(self, name: str) -> None:
        """Start this worker, without waiting for it, unless it is there."""
        if name not in self.workers or self.workers[name].poll() is not None:
            (self._folder / f"{name}.log").unlink(missing_ok=True)
            self.begin_worker(name)

    def _is_ready(self, name: str) -> bool:
        assert self.workers[name].poll() is None, self.log(name)
        return "Registered to:" in self.log(name)

    def log(self, name: str) -> str:
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill(self, name: str) -> None:
        """End a worker as the kernel ends what is short of memory."""
        self.workers[name].kill()
        self.workers[name].wait()

    def close(self) -> None:
        """End all of it; what a test stopped goes on to its end."""
        # The scheduler last: a worker that closes tells it so.
        for crew in (list(self.workers.values()), self.started):
            for process in crew:
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
                    process.terminate()
            for process in crew:
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
