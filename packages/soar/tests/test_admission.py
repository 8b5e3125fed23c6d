"""Who starts when, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_soar import BudgetWarned, RunEvent, ToolParked, ToolResumed
from aurora_soar.admission import Admission, Budget, Memory, Ticket
from aurora_spawner import FailureType, SpawnResult
from aurora_spawner.testing import run_virtual

_T = TypeVar("_T")

OK = SpawnResult(success=True, output="x", error=None, exit_code=0, tool="claude")


def limited(retry_after: float | None = None) -> SpawnResult:
    return SpawnResult(
        success=False,
        output="",
        error="429",
        exit_code=1,
        tool="claude",
        failure_type=FailureType.RATE_LIMIT,
        retry_after=retry_after,
    )


def priced(dollars: float | None) -> SpawnResult:
    return SpawnResult(
        success=True, output="x", error=None, exit_code=0, tool="claude", cost_usd=dollars
    )


def now() -> float:
    return asyncio.get_running_loop().time()


class Floor:
    """Everybody who wants to work, and when each did."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.active = 0
        self.most = 0
        self.began: dict[str, float] = {}
        self.refused: dict[str, str] = {}

    async def work(
        self, name: str, ticket: Ticket, seconds: float, result: SpawnResult | None = OK
    ) -> None:
        refusal = await ticket.take()
        if refusal is not None:
            self.refused[name] = refusal
            return
        # Places stay free for a moment, which is no time to anybody.
        self.began[name] = round(now(), 1)
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.active -= 1
            ticket.give_back(result)


def on_the_floor(
    play: Callable[[Floor], Awaitable[_T]], limit: int = 10, **options: Any
) -> tuple[Floor, _T]:
    async def main() -> tuple[Floor, _T]:
        floor = Floor(Admission(limit, **options))
        try:
            return floor, await play(floor)
        finally:
            floor.admission.close()

    return run_virtual(main())


async def all_of(*work: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*work)


def test_the_highest_priority_starts_first_then_who_came_first() -> None:
    """Of those that wait for a place, priority decides, then the order of coming."""

    async def play(floor: Floor) -> None:
        ticket = floor.admission.ticket
        first = asyncio.create_task(floor.work("first", ticket("a", "claude"), 1))
        await asyncio.sleep(0.5)
        await all_of(
            first,
            floor.work("low", ticket("a", "claude", priority=1), 1),
            floor.work("also low", ticket("a", "claude", priority=1), 1),
            floor.work("high", ticket("a", "claude", priority=2), 1),
        )

    floor, _ = on_the_floor(play, limit=1)
    assert list(floor.began) == ["first", "high", "low", "also low"]


def test_each_limit_holds_and_keeps_nobody_else() -> None:
    """Limits of a tool, of programs and of an agent bound their own; others pass who waits."""

    async def play(floor: Floor) -> None:
        ticket = floor.admission.ticket
        await all_of(
            *(floor.work(f"codex {n}", ticket("a", "codex"), 1) for n in range(3)),
            *(floor.work(f"slow {n}", ticket("slow", "claude", at_once=1), 1) for n in range(2)),
            floor.work("free", ticket("b", "claude"), 1),
            *(floor.work(f"make {n}", ticket("tests", "command"), 1) for n in range(2)),
        )

    floor, _ = on_the_floor(play, per_tool={"codex": 1, "command": 1})
    assert floor.began == {
        "make 0": 0.0,
        "make 1": 1.0,
        "codex 0": 0.0,
        "slow 0": 0.0,
        "free": 0.0,
        "codex 1": 1.0,
        "slow 1": 1.0,
        "codex 2": 2.0,
    }


def test_a_parked_tool_holds_no_place_and_is_told() -> None:
    """F50: what waits for a provider takes no place from others, and resumes when it said."""
    events: list[RunEvent] = []

    async def play(floor: Floor) -> float:
        ticket = floor.admission.ticket
        await floor.work("met it", ticket("a", "claude"), 0, limited(100))
        await all_of(
            floor.work("waits", ticket("a", "claude"), 1),
            floor.work("other", ticket("b", "codex"), 1),
            floor.work("program", ticket("make", "command"), 1),
        )
        return floor.admission.parked_seconds

    floor, parked = on_the_floor(play, limit=1, emit=events.append)
    assert floor.began == {"met it": 0, "other": 0, "program": 1, "waits": 100}
    assert parked == 100
    assert events == [ToolParked("claude", 100, "429"), ToolResumed("claude")]


def test_a_notice_parks_at_once_while_its_attempt_goes_on() -> None:
    """A notice of the provider's limit parks the tool although the attempt goes on, and well."""

    async def play(floor: Floor) -> None:
        ticket = floor.admission.ticket("a", "claude")
        running = asyncio.create_task(floor.work("goes on", ticket, 5))
        await asyncio.sleep(1)
        ticket.limited(10, "429")
        await floor.work("waits", floor.admission.ticket("a", "claude"), 1)
        await running

    floor, _ = on_the_floor(play)
    assert floor.began["waits"] == 11


def test_a_text_that_reads_like_a_limit_parks_nothing() -> None:
    """Only what a tool told as a limit parks it: a result that no tool gave proves nothing."""

    async def play(floor: Floor) -> None:
        result = SpawnResult.failed("rate limit exceeded", FailureType.RATE_LIMIT)
        await floor.work("odd", floor.admission.ticket("a", "claude"), 0, result)
        await floor.work("next", floor.admission.ticket("a", "claude"), 0)

    floor, _ = on_the_floor(play)
    assert floor.began["next"] == 0


def test_after_a_limit_fewer_run_at_once_and_grow_back() -> None:
    """A limit halves what runs at once through its tool; successes let more in again."""

    async def play(floor: Floor) -> int:
        ticket = floor.admission.ticket
        await all_of(*(floor.work(f"a{n}", ticket("a", "claude"), 1, limited(5)) for n in range(8)))
        floor.most = 0
        await all_of(*(floor.work(f"b{n}", ticket("a", "claude"), 1) for n in range(4)))
        after_cut = floor.most
        await all_of(*(floor.work(f"c{n}", ticket("a", "claude"), 1) for n in range(60)))
        return after_cut

    floor, after_cut = on_the_floor(play, limit=8)
    assert (after_cut, floor.most) == (4, 8)


def test_the_budget_stops_new_starts_and_keeps_what_is_done() -> None:
    """Once the dearest so far does not fit any more, nobody starts, and everybody is told why."""
    events: list[RunEvent] = []

    async def play(floor: Floor) -> None:
        for number in range(5):
            await floor.work(str(number), floor.admission.ticket("a", "claude"), 1, priced(0.4))

    budget = Budget(1.0, "USD", shares=5)
    floor, _ = on_the_floor(play, budget=budget, emit=events.append)
    assert list(floor.began) == ["0", "1"]
    assert floor.refused["2"] == "budget of $1.00 reached ($0.80 spent)"
    assert floor.admission.budget_reached
    assert events == [BudgetWarned(0.8, 1.0, "USD")]


def test_who_does_not_fit_beside_the_others_waits_for_them() -> None:
    """A start that may still fit once others have told their cost waits, and is not refused."""

    async def play(floor: Floor) -> None:
        ticket = floor.admission.ticket
        await floor.work("dear", ticket("a", "claude"), 1, priced(0.4))
        await all_of(*(floor.work(f"{n}", ticket("a", "claude"), 1, priced(0.1)) for n in range(3)))

    floor, _ = on_the_floor(play, budget=Budget(1.0, "USD", shares=9))
    assert floor.began == {"dear": 0, "0": 1, "1": 2, "2": 3}


def test_fifty_agents_of_300_mb_finish_in_four_gigabytes() -> None:
    """F73: what runs never needs more than there is, and nobody waits for ever."""
    mib = 2**20
    total, peak = 4096 * mib, 300 * mib
    most_used = 0

    async def play(floor: Floor) -> None:
        await all_of(
            *(floor.work(str(n), floor.admission.ticket("a", "claude"), 60) for n in range(50))
        )

    floor_of: list[Floor] = []

    def free() -> int:
        nonlocal most_used
        # An agent takes its memory at once here; claims are tested where it does not.
        used = floor_of[0].active * peak if floor_of else 0
        most_used = max(most_used, used)
        return total - used

    async def main() -> Floor:
        floor = Floor(Admission(50, memory=Memory(free)))
        floor_of.append(floor)
        await play(floor)
        floor.admission.close()
        return floor

    floor = run_virtual(main())
    assert len(floor.began) == 50
    assert most_used <= total
    assert floor.most >= 10


def test_a_halt_refuses_everybody_who_waits_the_parked_too() -> None:
    """After a halt nobody starts, and nobody waits for a provider any more."""

    async def play(floor: Floor) -> float:
        ticket = floor.admission.ticket
        await floor.work("met it", ticket("a", "claude"), 0, limited(3600))
        waiting = asyncio.gather(
            *(floor.work(str(n), ticket("a", "claude"), 1) for n in range(3)),
        )
        await asyncio.sleep(1)
        floor.admission.halt("the run was stopped")
        await waiting
        return now()

    floor, ended = on_the_floor(play)
    assert ended == 1
    assert set(floor.refused.values()) == {"the run was stopped"}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["claude", "codex", "command"]),
            st.sampled_from(["a", "b"]),
            st.integers(0, 3),
            st.sampled_from([OK, limited(), limited(7), None]),
            st.none() | st.integers(0, 4),
        ),
        max_size=20,
    ),
    st.integers(1, 4),
    st.integers(0, 2**16),
)
def test_no_limit_is_ever_exceeded_and_nothing_is_held_at_the_end(
    work: list[tuple[str, str, int, SpawnResult | None, int | None]], limit: int, seed: int
) -> None:
    """Whatever is cancelled, limited or fails: limits hold, all end, and no place stays taken."""

    async def main() -> None:
        admission = Admission(limit, per_tool={"codex": 1}, memory=Memory(lambda: 2**33))
        floor = Floor(admission)
        tasks = []
        for number, (tool, agent, seconds, result, cancel_after) in enumerate(work):
            ticket = admission.ticket(agent, tool, at_once=2, priority=number % 3)
            task = asyncio.create_task(floor.work(str(number), ticket, seconds, result))
            tasks.append(task)
            if cancel_after is not None:
                asyncio.get_running_loop().call_later(cancel_after, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert floor.most <= limit
        # Every place is free again: as many as the limit start at once, through another tool.
        floor.active = floor.most = 0
        await all_of(
            *(floor.work(f"x{n}", admission.ticket(f"x{n}", "gemini"), 1) for n in range(limit))
        )
        assert floor.most == limit
        admission.close()

    run_virtual(main(), seed=seed)


def test_a_cancelled_waiter_leaves_its_place_in_the_queue() -> None:
    """Who is cancelled while it waits, or at the moment it is let in, takes no place."""

    async def play(floor: Floor) -> None:
        ticket = floor.admission.ticket
        holder = asyncio.create_task(floor.work("holder", ticket("a", "claude"), 1))
        await asyncio.sleep(0)
        waiter = asyncio.create_task(floor.work("waiter", ticket("a", "claude"), 1))
        await asyncio.sleep(1)
        waiter.cancel()
        await holder
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await floor.work("next", ticket("a", "claude"), 1)

    floor, _ = on_the_floor(play, limit=1)
    assert floor.began["next"] == 1
