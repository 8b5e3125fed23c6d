"""A child's process tree: its group, and those that left the group; signalled and ended.

The group's id is that of its leader, which is reaped last: until then it cannot belong to a
stranger. Those that left are found by the line of their parents and by the word that they bear in
their environment. They are looked for only if anybody has started anything since the leader, which
the kernel tells in one read, and among those whom the census remembers.
"""

from __future__ import annotations

import contextlib
import os
import signal

from aurora_spawner import descendants
from aurora_spawner.process.census import Census
from aurora_spawner.process.data import Limits
from aurora_spawner.supervisor import Supervisor

__all__ = ["Tree"]


class Tree:
    """The tree below one leader.

    Args:
        leader: The leader's process id; it leads a group of its own.
        word: What the leader's environment bears.
        limits: What becomes of leftovers.
        supervisor: Ends the tree if we are killed.
    """

    __slots__ = ("_launch", "_limits", "_slot", "_strays", "_supervisor", "_word", "leader")

    # How many leaders were started so far, and who may descend from them; for all together.
    launched = 0
    census = Census()

    def __init__(self, leader: int, word: bytes, limits: Limits, supervisor: Supervisor) -> None:
        self.leader = leader
        self._word = word
        self._limits = limits
        self._supervisor = supervisor
        self._strays: list[descendants.Process] = []
        Tree.launched = self._launch = Tree.launched + 1
        Tree.census.enter(leader)
        self._slot = supervisor.enter(leader)

    def leave(self) -> None:
        """The leader is reaped: the tree is no more."""
        Tree.census.leave(self.leader)
        self._supervisor.leave(self._slot)

    def signal(self, number: signal.Signals) -> None:
        """Signal the group."""
        # macOS answers EPERM for a group that holds nothing but a zombie.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.leader, number)

    def ask_to_end(self) -> None:
        """TERM to everybody, and CONT so that a stopped one can obey."""
        # Those that left the group are asked as well. Who scrubbed its environment is known now,
        # while its line of parents still leads here, and not any more later.
        everyone = [each.process for each in Tree.census.candidates(self._word)]
        self._strays = [
            process
            for process in descendants.line_of(self.leader, everyone)
            if process.group != self.leader and not self._spares(process)
        ]
        for number in (signal.SIGTERM, signal.SIGCONT):
            self.signal(number)
            for stray in self._strays:
                descendants.send(stray, number)

    def end_leftovers(self) -> tuple[str, ...]:
        """End what the leader left when it exited; returns all of it, as `name (pid)`."""
        if not self._strays and not self._somebody_forked():
            return ()
        leftovers = self._below()
        spared = {process.pid for process in leftovers if self._spares(process)}
        for pid in spared:
            self._supervisor.keep(pid)
        if leftovers and not spared:
            self.signal(signal.SIGKILL)
        if leftovers:
            descendants.end_all(lambda: [left for left in self._below() if left.pid not in spared])
        return tuple(f"{left.name} ({left.pid})" for left in leftovers)

    def _somebody_forked(self) -> bool:
        """Whether any process was started since our leader, apart from leaders of ours."""
        started = descendants.last_process_id() - self.leader
        return started != Tree.launched - self._launch

    def _spares(self, process: descendants.Process) -> bool:
        return self._limits.leftovers == "report" or process.name in self._limits.keep

    def _below(self) -> list[descendants.Process]:
        """Those of the group, those that bear our word, those seen before, and all below them."""
        known = {(stray.pid, stray.started) for stray in self._strays}
        candidates = Tree.census.candidates(self._word)
        everyone = [each.process for each in candidates]
        found = {
            each.process.pid: each.process
            for each in candidates
            if each.process.group == self.leader
            or (each.process.pid, each.process.started) in known
            or each.bears(self._word)
        }
        for pid in list(found):
            found.update((below.pid, below) for below in descendants.line_of(pid, everyone))
        return list(found.values())
