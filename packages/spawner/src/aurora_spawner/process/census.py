"""Who may be ours, known from one look at each process that anybody starts.

To search all that runs whenever a child ends would cost the more the more runs, and on a busy
machine somebody is always starting something. So a process is looked at once, soon after its start,
and only those that may descend from a leader of ours are remembered.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aurora_spawner import descendants
from aurora_spawner.descendants import Process

__all__ = ["Candidate", "Census"]

# Ids only grow until they start anew, and there are 32,768 of them at least: in less than this time
# (seconds) nobody starts so many that they come round unnoticed.
_TRUSTED = 1.0

# To ask for an id that nobody has costs a fifth of a look; so many are asked for one by one.
_FEW = 500

# A process gets its id a moment before it can be seen. Who was not there is looked for twice more,
# so many seconds later.
_AGAIN_AFTER = (0.001, 0.1)

# After a look at everybody that concerns the last ids: as many as there may be processors.
_LATEST = 64

# Looks while somebody goes on starting processes.
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A process that may belong to a tree.

    Attributes:
        process: As it is now.
        words: The words of the cookie in its environment: one of each tree that it is surely in.
    """

    process: Process
    words: tuple[bytes, ...]

    def bears(self, word: bytes) -> bool:
        """Whether it belongs to the tree of that word."""
        return word in self.words


@dataclass(slots=True)
class _Member:
    """Somebody remembered.

    Attributes:
        started: Tells it from a stranger that gets its id.
        words: None while its environment is empty, which may pass.
        is_related: It was seen below a leader, or in its group.
    """

    started: int
    words: tuple[bytes, ...] | None
    is_related: bool


class Census:
    """The processes that may descend from leaders of ours.

    Several threads may ask at the same time: whom two of them look at, both remember. There is no
    lock, since a fork could leave it held.
    """

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        # Those that were reaped since the last look: their ids are nobody's.
        self._reaped: set[int] = set()
        self._members: dict[int, _Member] = {}
        # Up to this id everybody was looked at, at that time.
        self._last = -1
        self._at = -_TRUSTED
        # Ids that nobody had yet, and when to look again: one queue for each time.
        self._unborn = tuple(deque[tuple[float, int]]() for _ in _AGAIN_AFTER)
        own = descendants.look(os.getpid())
        self._oldest = own.started if own is not None else 0

    def enter(self, leader: int) -> None:
        """From now on what descends from that process is remembered."""
        self._leaders.add(leader)

    def leave(self, leader: int) -> None:
        """That process is reaped."""
        self._leaders.discard(leader)
        self._reaped.add(leader)

    def candidates(self, word: bytes) -> list[Candidate]:
        """Those that may belong to the tree of that word, as they are now.

        That is everybody that bears the word, and those that bear none but descend from a leader
        or share its group.
        """
        self._update()
        found: list[Candidate] = []
        for pid, member in list(self._members.items()):
            if member.words and word not in member.words:
                continue  # of another tree
            process = descendants.look(pid)
            if process is None or process.started != member.started:
                self._members.pop(pid, None)
                continue
            if member.words is None:
                member.words = descendants.settled_words(process)
            if member.words or member.is_related:
                found.append(Candidate(process, member.words))
            else:
                self._members.pop(pid, None)
        return found

    def _update(self) -> None:
        """Look at everybody who was started since the last time."""
        for _ in range(_LOOKS):
            now = time.monotonic()
            last = descendants.last_process_id()
            follows = 0 <= self._last <= last < self._last + _FEW
            if follows and now - self._at < _TRUSTED:
                self._members |= self._those_of_ours(self._newcomers(last, now))
            else:
                self._members = self._those_of_ours(self._everybody(last, now))
            self._last, self._at = last, now
            self._reaped.clear()
            # Who was started while we looked may have slipped by.
            if descendants.last_process_id() == last:
                return

    def _everybody(self, last: int, now: float) -> Iterator[Process]:
        for queue in self._unborn:
            queue.clear()
        latest = range(max(last - _LATEST, 0) + 1, last + 1)
        self._unborn[0].extend((now + _AGAIN_AFTER[0], pid) for pid in latest)
        for pid in descendants.ids():
            process = None if pid in self._leaders else descendants.look(pid)
            if process is not None:
                yield process

    def _newcomers(self, last: int, now: float) -> Iterator[Process]:
        looked_for = [(pid, 0) for pid in range(self._last + 1, last + 1)]
        for times, queue in enumerate(self._unborn, 1):
            with contextlib.suppress(IndexError):
                while queue[0][0] <= now:
                    looked_for.append((queue.popleft()[1], times))
        for pid, times in looked_for:
            if pid in self._leaders or pid in self._reaped:
                continue
            process = descendants.look(pid)
            if process is not None:
                yield process
            elif times < len(_AGAIN_AFTER):
                self._unborn[times].append((now + _AGAIN_AFTER[times], pid))

    def _those_of_ours(self, processes: Iterable[Process]) -> dict[int, _Member]:
        found: dict[int, _Member] = {}
        # Parents first.
        for process in sorted(processes, key=lambda process: (process.started, process.pid)):
            member = self._members.get(process.pid)
            if member is None or member.started != process.started:
                if process.started < self._oldest:
                    continue
                is_related = (
                    process.group in self._leaders
                    or process.parent in self._leaders
                    or process.parent in found
                    or process.parent in self._members
                )
                member = _Member(process.started, descendants.words(process), is_related)
                if member.words == () and not is_related:
                    continue
            found[process.pid] = member
        return found
