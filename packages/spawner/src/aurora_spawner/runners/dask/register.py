"""At the scheduler: which request runs on which worker, how often it began, and how many can.

Dask runs a task again when its worker is lost; this counts, so that a request that takes every
worker down with it ends after a few. And it knows when a cancelled one is really gone.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from distributed import Scheduler, SchedulerPlugin

__all__ = ["ENDED_TOPIC", "SLOT", "SLOTS_TOPIC", "TOPICS", "Register"]

SLOT = "AURORA_AGENT"
"""The resource of which a running request holds one; a worker has as many as it has slots."""

TOPICS = "aurora-"
"""What the names of our topics begin with."""

SLOTS_TOPIC = f"{TOPICS}slots"
"""Where the number of slots is told whenever it changes."""

ENDED_TOPIC = f"{TOPICS}ended"
"""Where workers say what has begun there and is gone."""

# Cancelled requests that are remembered until the scheduler has understood and forgotten them;
# those that it never hears of make room for others.
_UNWANTED = 10_000


class Register(SchedulerPlugin):
    """Stands beside one scheduler."""

    name = "aurora-agents"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        """Begin: the scheduler answers our questions from now on."""
        self._scheduler = scheduler
        self._begun: dict[str, int] = {}
        # Where each runs: after a network was cut, perhaps on more than one worker.
        self._places: dict[str, set[str]] = {}
        # In the order in which they became so.
        self._unwanted: dict[str, None] = {}
        self._gone: dict[str, asyncio.Event] = {}
        scheduler.handlers.update(
            {
                "aurora_begin": self._begin,
                "aurora_gone": self._await_gone,
                "aurora_slots": self._slots,
                "aurora_joined": self._joined,
            }
        )

    # What workers say

    def _begin(self, key: str, worker: str, limit: int) -> int:
        """A worker wants to begin a request.

        Returns:
            0: it may; -1: nobody wants the request any more; otherwise how often it began
            before, which was as often as it may.
        """
        if key in self._unwanted or key not in self._scheduler.tasks:
            asyncio.get_running_loop().call_soon(self._forget, key)
            return -1
        before = self._begun.get(key, 0)
        if before >= limit:
            return before
        self._begun[key] = before + 1
        self._places.setdefault(key, set()).add(worker)
        return 0

    def _ended(self, key: str, worker: str) -> None:
        """What ran there is gone."""
        places = self._places.get(key)
        if places is not None:
            places.discard(worker)
            if not places:
                del self._places[key]
        if key not in self._places and (gone := self._gone.pop(key, None)) is not None:
            gone.set()

    def _joined(self, worker: str) -> None:
        """A worker is ready, and its slots are known."""
        state = self._scheduler.workers.get(worker)
        if state is not None:
            # Dask looks for requests that wait for a worker when one comes, and not when it says
            # a moment later what it has.
            waiting = self._scheduler.bulk_schedule_unrunnable_after_adding_worker(state)
            self._scheduler.transitions(waiting, f"aurora-joined-{uuid.uuid4().hex}")
        self._tell_slots()

    def _forget(self, key: str) -> None:
        """Nobody wants the request: it need not be known any more."""
        task = self._scheduler.tasks.get(key)
        for client in list(task.who_wants or ()) if task is not None else ():
            self._scheduler.client_releases_keys(keys=[key], client=client.client_key)

    # What clients ask

    async def _await_gone(self, key: str) -> None:
        """Wait until the request runs nowhere, and begins nowhere any more."""
        # A request can be cancelled before the scheduler has understood it: Dask takes its time
        # for new tasks, and none for a cancellation, and so would run what nobody wants.
        self._unwanted[key] = None
        if len(self._unwanted) > _UNWANTED:
            del self._unwanted[next(iter(self._unwanted))]
        if key in self._places:
            await self._gone.setdefault(key, asyncio.Event()).wait()

    def _slots(self) -> int:
        # A worker runs no more at once than it has threads, idle as those are.
        return sum(
            min(int(worker.resources.get(SLOT, 0)), worker.nthreads)
            for worker in self._scheduler.workers.values()
        )

    # What the scheduler says

    def log_event(self, topic: str, msg: Any) -> None:
        """Somebody said something; perhaps a worker, that a request is gone."""
        if topic == ENDED_TOPIC:
            self._ended(*msg)
        if topic.startswith(TOPICS):
            # Whoever listens has been told; what agents said is not for keeping.
            self._scheduler._broker.truncate(topic)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **more: Any) -> None:
        """A task changed its state: perhaps nobody will ask for it any more."""
        if finish == "forgotten":
            self._begun.pop(key, None)
            self._unwanted.pop(key, None)

    def remove_worker(self, scheduler: Scheduler, worker: str, **more: Any) -> None:
        """A worker is lost, and with it what ran there: its supervisor sees to that."""
        for key in [key for key, places in self._places.items() if worker in places]:
            self._ended(key, worker)
        self._tell_slots()

    def _tell_slots(self) -> None:
        self._scheduler.log_event(SLOTS_TOPIC, self._slots())
