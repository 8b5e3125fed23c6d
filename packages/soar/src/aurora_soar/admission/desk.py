"""The one point that everything which starts an agent passes, and the tickets for it.

Who may start is asked in this order:

1. Whether anybody may: not once the run is halted, nor, for good, once the budget is reached.
2. The limits: of the run, of the agent, and of its tool, which a provider can park (`throttle`).
3. Memory: looked at again every `MEMORY_CHECK` seconds while somebody waits for nothing else.

Of those who may, the one with the highest priority starts first, then whoever came first. Nobody
who could start waits for somebody who could not.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aurora_soar.admission.budget import WARN_AT, Budget
from aurora_soar.admission.memory import Memory
from aurora_soar.admission.throttle import Throttle
from aurora_soar.events import BudgetWarned, RunEvent, ToolParked, ToolResumed
from aurora_spawner import FailureType, SpawnResult

__all__ = ["MEMORY_CHECK", "SETTLE", "Admission", "Ticket"]

MEMORY_CHECK = 1.0
"""Seconds. No system tells when memory becomes free; a look costs some 30 microseconds."""

SETTLE = 0.005
"""Seconds for which a place stays free although somebody waits for it, where what has just ended
may bring somebody with a higher priority, who takes a moment to come."""

# What is no provider's tool: no answer of a program's parks the others.
_PROGRAM = "command"


@dataclass(order=True, slots=True)
class _Waiter:
    rank: tuple[float, int]
    ticket: Ticket = field(compare=False)
    admitted: asyncio.Future[str | None] = field(compare=False)


class Admission:
    """Decides who starts; every method runs on the event loop.

    Args:
        limit: Agents at once.
        per_tool: Agents at once through a tool, by its name.
        budget: What all may cost; None: anything.
        memory: Account of memory; None: nobody looks.
        emit: Gets `ToolParked`, `ToolResumed` and `BudgetWarned`.

    Attributes:
        halted: Why nobody may start any more; None as long as somebody may.
        budget_reached: The budget has kept somebody from starting.
    """

    def __init__(
        self,
        limit: int,
        *,
        per_tool: Mapping[str, int] | None = None,
        budget: Budget | None = None,
        memory: Memory | None = None,
        emit: Callable[[RunEvent], None] = lambda event: None,
    ) -> None:
        self.halted: str | None = None
        self.budget_reached = False
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._per_tool = per_tool or {}
        self._budget = budget
        self._memory = memory
        self._emit = emit
        self._waiting: list[_Waiter] = []
        self._numbers = itertools.count()
        self._running = 0
        self._by_tool: Counter[str] = Counter()
        self._by_agent: Counter[str] = Counter()
        self._throttles: dict[str, Throttle] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._warned = False
        self._parked_since: float | None = None
        self._parked_before = 0.0

    def ticket(
        self, agent_id: str, tool: str, *, at_once: int | None = None, priority: float = 0.0
    ) -> Ticket:
        """A ticket for a task.

        Args:
            agent_id: Who runs it.
            tool: What the agent goes through; empty: whatever answers for those who name none.
            at_once: Of this agent at once; None: no limit but the others.
            priority: Higher starts first: how many steps there are to the end from here.
        """
        return Ticket(self, agent_id, tool, at_once, priority)

    @property
    def parked_seconds(self) -> float:
        """For how long any tool has been parked, with what is to come of parks that go on."""
        if self._parked_since is None:
            return self._parked_before
        until = max(timer.when() for timer in self._timers.values())
        return self._parked_before + until - self._parked_since

    def halt(self, reason: str) -> None:
        """From now on nobody starts any more; the first reason stands."""
        if self.halted is None:
            self.halted = reason
            self._look_in(0.0)

    def close(self) -> None:
        """Let go of the timers."""
        for timer in self._timers.values():
            timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    # Waiting

    async def admit(self, ticket: Ticket) -> str | None:
        """Wait until the ticket's holder may start; the reason if nobody may any more."""
        waiter = _Waiter(
            (-ticket.priority, next(self._numbers)), ticket, self._loop.create_future()
        )
        bisect.insort(self._waiting, waiter)
        self._look_in(0.0)
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.admitted.cancelled() and waiter.admitted.result() is None:
                # Let in and cancelled at the same moment.
                ticket.give_back(None)
            raise

    def _look_in(self, seconds: float) -> None:
        """Look then, or earlier; so that all who come together are ranked together."""
        when = self._loop.time() + seconds
        if self._looking is not None:
            if self._looking.when() <= when:
                return
            self._looking.cancel()
        self._looking = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        """Let in everybody who may start, and turn away who never may."""
        self._looking = None
        for waiter in list(self._waiting):
            if waiter.admitted.cancelled():
                # It has not been told yet, and takes itself out then.
                continue
            if self._running >= self._limit and self._budget is None and self.halted is None:
                return
            refusal = self._refusal(waiter.ticket)
            if refusal is None:
                if not self._may_start(waiter.ticket):
                    continue
                waiter.ticket.start(self._loop.time())
            self._waiting.remove(waiter)
            waiter.admitted.set_result(refusal)

    def _refusal(self, ticket: Ticket) -> str | None:
        budget = self._budget
        if self.halted is not None or budget is None or not budget.never_fits(ticket.agent_id):
            return self.halted
        self.budget_reached = True
        return str(budget)

    def _may_start(self, ticket: Ticket) -> bool:
        if self._running >= self._limit or self._is_at_its_limit(ticket):
            return False
        if self._budget is not None and not self._budget.has_room(ticket.agent_id):
            return False
        if not self._throttle(ticket.tool).may_start(self._by_tool[ticket.tool]):
            return False
        if self._memory is None or self._memory.has_room(ticket.kind):
            return True
        self._look_in(MEMORY_CHECK)
        return False

    def _is_at_its_limit(self, ticket: Ticket) -> bool:
        return ticket.at_once is not None and self._by_agent[ticket.agent_id] >= ticket.at_once

    # Starting and ending

    def started(self, ticket: Ticket) -> _Holding:
        """Count a start."""
        self._running += 1
        self._by_tool[ticket.tool] += 1
        self._by_agent[ticket.agent_id] += 1
        return _Holding(
            reserved=0.0 if self._budget is None else self._budget.reserve(ticket.agent_id),
            memory=0 if self._memory is None else self._memory.claim(ticket.kind),
        )

    def ended(self, ticket: Ticket, holding: _Holding, result: SpawnResult | None) -> None:
        """Count an end, and learn from it."""
        # Only what a tool itself told: a text that reads like a limit proves none.
        if result is not None and result.tool is not None:
            if result.success:
                self._throttles[ticket.tool] = self._throttle(ticket.tool).succeeded()
            elif result.failure_type is FailureType.RATE_LIMIT:
                self.limited(ticket, result.retry_after, result.error or "rate limit")
        self._running -= 1
        self._by_tool[ticket.tool] -= 1
        self._by_agent[ticket.agent_id] -= 1
        if self._memory is not None:
            peak = None if result is None else result.peak_memory
            succeeded = result is not None and result.success
            self._memory.release(ticket.kind, holding.memory, peak, succeeded=succeeded)
        if self._budget is not None:
            self._settle(self._budget, ticket.agent_id, holding.reserved, result)
        if self._waiting:
            # Priorities are lengths of what is still to come: the heir's is one less.
            brings_more = ticket.priority - 1 > self._waiting[0].ticket.priority
            self._look_in(SETTLE if brings_more else 0.0)

    def _settle(
        self, budget: Budget, agent_id: str, reserved: float, result: SpawnResult | None
    ) -> None:
        budget.settle(agent_id, reserved, None if result is None else _cost(budget, result))
        if not self._warned and budget.spent >= WARN_AT * budget.limit:
            self._warned = True
            self._emit(BudgetWarned(budget.spent, budget.limit, budget.unit))

    # Providers' limits

    def limited(self, ticket: Ticket, retry_after: float | None, reason: str) -> None:
        """An attempt met the limit of its provider: park its tool."""
        tool = ticket.tool
        if tool == _PROGRAM:
            return
        now = self._loop.time()
        before = self._throttle(tool)
        after = before.limited(
            now=now, started=ticket.since, running=self._by_tool[tool], retry_after=retry_after
        )
        self._throttles[tool] = after
        until = after.parked_until
        if until is None or until == before.parked_until:
            return
        if tool in self._timers:
            self._timers[tool].cancel()
        self._timers[tool] = self._loop.call_at(until, self._resume, tool)
        if self._parked_since is None:
            self._parked_since = now
        self._emit(ToolParked(tool, until - now, reason))

    def _resume(self, tool: str) -> None:
        del self._timers[tool]
        self._throttles[tool] = self._throttle(tool).resumed()
        if not self._timers and self._parked_since is not None:
            self._parked_before += self._loop.time() - self._parked_since
            self._parked_since = None
        self._emit(ToolResumed(tool))
        self._look_in(0.0)

    def _throttle(self, tool: str) -> Throttle:
        if tool not in self._throttles:
            self._throttles[tool] = Throttle.open(self._per_tool.get(tool, self._limit))
        return self._throttles[tool]


@dataclass(frozen=True, slots=True)
class _Holding:
    """What a running attempt holds, beside its place.

    Attributes:
        reserved: Of the budget.
        memory: Bytes.
    """

    reserved: float
    memory: int


class Ticket:
    """One task's way through the admission; a turn, as the spawner's recovery takes it.

    Attributes:
        agent_id: Who runs the task.
        tool: What it goes through.
        at_once: Of this agent at once; None: no limit but the others.
        priority: Higher starts first.
        since: When it was let in last, seconds.
        waited: Seconds that it has waited so far.
    """

    def __init__(
        self, desk: Admission, agent_id: str, tool: str, at_once: int | None, priority: float
    ) -> None:
        self.agent_id = agent_id
        self.tool = tool
        self.at_once = at_once
        self.priority = priority
        self.since = 0.0
        self.waited = 0.0
        self._desk = desk
        self._holding: _Holding | None = None

    @property
    def kind(self) -> str:
        """What its memory is accounted under: the tool, or the program that it is."""
        return self.agent_id if self.tool == _PROGRAM else self.tool

    async def take(self) -> str | None:
        """See `aurora_spawner.Turn`."""
        if self._holding is not None:
            return None
        loop = asyncio.get_running_loop()
        came = loop.time()
        try:
            refusal = await self._desk.admit(self)
        finally:
            self.waited += loop.time() - came
        if refusal is None and self._desk.halted is not None:
            # Let in, and halted before it could move.
            self.give_back(None)
            return self._desk.halted
        return refusal

    def give_back(self, result: SpawnResult | None) -> None:
        """See `aurora_spawner.Turn`."""
        if self._holding is not None:
            holding, self._holding = self._holding, None
            self._desk.ended(self, holding, result)

    def limited(self, retry_after: float | None, reason: str) -> None:
        """The running attempt was told of its provider's limit; it may well go on."""
        if self._holding is not None:
            self._desk.limited(self, retry_after, reason)

    def start(self, now: float) -> None:
        """The holder is let in."""
        self.since = now
        self._holding = self._desk.started(self)


def _cost(budget: Budget, result: SpawnResult) -> float | None:
    """What an attempt took, as far as it told."""
    if budget.unit == "USD":
        return result.cost_usd
    if result.tokens_in is None and result.tokens_out is None:
        return None
    return float((result.tokens_in or 0) + (result.tokens_out or 0))
