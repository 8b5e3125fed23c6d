"""What is done to a run while it goes on, and undone before anybody is judged."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import resource
import signal
from collections.abc import Callable

import psutil
from tests.cluster.machines import Machines

from .disk import Disk
from .drawing import Fault
from .processes import Gone, command_line, descendants
from .targets import Target

__all__ = ["Attack", "agents_of"]

# Seconds that something stopped stands still, that something short stays short, and that a killed
# machine is away: a cluster without any waits for one.
_PAUSE = (0.1, 1.5)

_SIGNALS = {
    "kill": signal.SIGKILL,
    "stop": signal.SIGSTOP,
    "interrupt": signal.SIGINT,
    "terminate": signal.SIGTERM,
    "kill an agent": signal.SIGKILL,
    "crash an agent": signal.SIGSEGV,
    "stop an agent": signal.SIGSTOP,
}
_LIMITS = {
    "take memory from an agent": resource.RLIMIT_AS,
    "take time from an agent": resource.RLIMIT_CPU,
    "take descriptors from": resource.RLIMIT_NOFILE,
}


def agents_of(target: Target, pid: int, machines: Machines | None) -> list[psutil.Process]:
    """What runs below us and is neither the target itself nor the machines that it uses."""
    ours = {process.pid for process in target.parts(pid).values()}
    if machines is not None:
        ours |= {process.pid for process in machines.started}
    return [
        process
        for process in descendants()
        if process.pid not in ours and "descendants.py" not in command_line(process)
    ]


class Attack:
    """The faults of one round.

    Args:
        faults: What is drawn.
        target: Whom it meets.
        pid: The process that was started.
        machines: Those of the cluster, if there is one.

    Attributes:
        inflicted: What has really hit somebody.
    """

    def __init__(
        self, faults: tuple[Fault, ...], target: Target, pid: int, machines: Machines | None
    ) -> None:
        self._target = target
        self._pid = pid
        self._machines = machines
        self._disk = Disk(target.kept)
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._mends: list[Callable[[], None]] = []
        self.inflicted: list[Fault] = []
        for fault in faults:
            self._at(fault.at, lambda fault=fault: self._inflict(fault))

    def advance(self, elapsed: float) -> None:
        """Do what is due, seconds after the start."""
        while self._due and self._due[0][0] <= elapsed:
            heapq.heappop(self._due)[2]()

    def mend(self) -> None:
        """Undo what can be undone: who was stopped goes on, the disk has room."""
        self._due.clear()
        while self._mends:
            self._mends.pop()()
        self._disk.free()

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), action))

    def _inflict(self, fault: Fault) -> None:
        if fault.what == "fill the disk":
            self._disk.fill()
        elif fault.what == "free the disk":
            self._disk.free()
        else:
            victim = self._victim(fault)
            if victim is None:
                return
            try:
                self._hit(victim, fault)
            except (Gone, ProcessLookupError):
                return
        self.inflicted.append(fault)

    def _victim(self, fault: Fault) -> psutil.Process | None:
        if self._machines is not None and fault.whom in self._machines.workers:
            machine = self._machines.workers[fault.whom]
            # Once it is reaped its id may be anybody's.
            return psutil.Process(machine.pid) if machine.poll() is None else None
        if fault.whom:
            return self._target.parts(self._pid).get(fault.whom)
        victims = agents_of(self._target, self._pid, self._machines)
        return victims[int(fault.draw * len(victims))] if victims else None

    def _hit(self, victim: psutil.Process, fault: Fault) -> None:
        mended_at = fault.at + _PAUSE[0] + fault.draw * (_PAUSE[1] - _PAUSE[0])
        if fault.what in _LIMITS:
            limit = _LIMITS[fault.what]
            before = victim.rlimit(limit)
            victim.rlimit(limit, (_no_more_than_it_has(victim, limit, fault.draw), before[1]))
            self._mend_at(mended_at, lambda: victim.rlimit(limit, before))
        else:
            victim.send_signal(_SIGNALS[fault.what])
            if _SIGNALS[fault.what] == signal.SIGSTOP:
                self._mend_at(mended_at, lambda: victim.send_signal(signal.SIGCONT))
            if self._machines is not None and fault.whom in self._machines.workers:
                machines = self._machines
                self._mend_at(mended_at, lambda: machines.begin_anew(fault.whom))

    def _mend_at(self, moment: float, action: Callable[[], None]) -> None:
        def mend() -> None:
            if mend in self._mends:
                self._mends.remove(mend)
            with contextlib.suppress(Gone, ProcessLookupError):
                action()

        self._mends.append(mend)
        self._at(moment, mend)


def _no_more_than_it_has(victim: psutil.Process, limit: int, draw: float) -> int:
    match limit:
        case resource.RLIMIT_AS:
            return victim.memory_info().vms
        case resource.RLIMIT_CPU:
            return 1  # second, the least there is
        case _:
            # Descriptors: none, or one or two more.
            return victim.num_fds() + int(draw * 3)
