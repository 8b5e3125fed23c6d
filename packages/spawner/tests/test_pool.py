"""The pool, with drawn schedules in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import InvalidTaskError
from aurora_spawner.pool import run_pool
from aurora_spawner.testing import run_virtual

delays = st.lists(st.sampled_from([0.0, 0.1, 0.2, 1.0, 5.0]), max_size=25)
limits = st.integers(1, 8)
seeds = st.none() | st.integers(0, 1000)


class Site:
    """Work that takes its time, and what was going on at once."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.active = 0
        self.most_active = 0
        self.ended: list[int] = []

    async def work(self, index: int, delay: float) -> tuple[int, float]:
        self.started.append(index)
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            await asyncio.sleep(delay)
        finally:
            self.active -= 1
            self.ended.append(index)
        return index, delay


@given(delays, limits, seeds)
def test_f38_order_and_limit(items: list[float], limit: int, seed: int | None) -> None:
    """F38: one result per item, in input order, and never more at once than the limit."""
    site = Site()
    results = run_virtual(run_pool(items, site.work, limit), seed=seed)
    assert results == list(enumerate(items))
    assert site.most_active <= limit
    assert site.active == 0


@given(delays, limits, seeds)
def test_started_in_order(items: list[float], limit: int, seed: int | None) -> None:
    """Items are drawn in their order."""
    site = Site()
    run_virtual(run_pool(items, site.work, limit), seed=seed)
    if seed is None:
        assert site.started == list(range(len(items)))
    assert sorted(site.started) == list(range(len(items)))


@given(delays, limits)
def test_no_slot_idles(items: list[float], limit: int) -> None:
    """A free slot takes the next item at once: the whole takes as long as greedy scheduling."""

    async def main() -> float:
        await run_pool(items, Site().work, limit)
        return asyncio.get_running_loop().time()

    slots = [0.0] * limit
    for delay in items:
        slots.sort()
        slots[0] += delay
    assert run_virtual(main()) == pytest.approx(max(slots))


def test_f38_a_hundred_thousand() -> None:
    """F38: of 100,000 items no more are drawn ahead than there are slots."""
    total, limit = 100_000, 50
    site = Site()

    def items() -> Iterator[float]:
        for number in range(total):
            assert number - len(site.ended) <= limit
            yield 0.0

    results = run_virtual(run_pool(items(), site.work, limit))
    assert results == [(number, 0.0) for number in range(total)]
    assert site.most_active == limit


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_f37_limit_below_one(limit: float) -> None:
    """F37: a limit below one is a ValueError before anything is drawn."""
    drawn = iter([1])
    with pytest.raises(InvalidTaskError, match="max_concurrent"):
        run_virtual(run_pool(drawn, Site().work, limit))  # type: ignore[arg-type]
    assert list(drawn) == [1]


def test_f43_nothing_to_do() -> None:
    """F43: no items, no results."""
    assert run_virtual(run_pool([], Site().work, 3)) == []


@given(delays.filter(bool), limits, seeds, st.data())
def test_the_first_error_ends_all(
    items: list[float], limit: int, seed: int | None, data: st.DataObject
) -> None:
    """What one item raises leaves the pool after every other piece of work has ended, and nothing
    new is started."""
    broken = data.draw(st.integers(0, len(items) - 1))
    site = Site()

    async def work(index: int, delay: float) -> None:
        await site.work(index, delay)
        if index == broken:
            raise LookupError(index)

    with pytest.raises(LookupError):
        run_virtual(run_pool(items, work, limit), seed=seed)
    assert site.active == 0
    assert sorted(site.ended) == sorted(site.started)


def test_a_cancellation_from_inside_is_an_end_too() -> None:
    """A piece of work that is cancelled by itself ends its siblings and leaves as a
    cancellation."""
    site = Site()

    async def work(index: int, delay: float) -> None:
        await site.work(index, delay)
        if index == 0:
            raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await run_pool([1.0, 100.0, 100.0, 1.0], work, 3)
        assert site.active == 0
        assert asyncio.get_running_loop().time() == 1

    run_virtual(main())
    assert sorted(site.ended) == [0, 1, 2]


@given(delays, limits, seeds, st.integers(0, 100), st.floats(0, 3))
def test_cancelled_from_outside(
    items: list[float], limit: int, seed: int | None, tenth: int, clean_up: float
) -> None:
    """Cancelled at any moment, the pool waits for the clean-up of all work, and starts nothing
    new meanwhile."""
    site = Site()
    cleaning = 0

    async def work(index: int, delay: float) -> None:
        nonlocal cleaning
        try:
            await site.work(index, delay)
        except asyncio.CancelledError:
            cleaning += 1
            await asyncio.sleep(clean_up)
            cleaning -= 1
            raise

    async def main() -> None:
        pool = asyncio.create_task(run_pool(items, work, limit))
        # Between two steps of the work, so that none is just about to start.
        await asyncio.sleep(tenth / 10 + 0.05)
        done = pool.done()
        started = site.started.copy()
        pool.cancel()
        await asyncio.wait([pool])
        assert pool.cancelled() or done
        assert (site.active, cleaning) == (0, 0)
        assert site.started == started

    run_virtual(main(), seed=seed)


def test_work_that_swallows_its_cancellation() -> None:
    """Even if work swallows the cancellation, the pool leaves cancelled and starts nothing new."""
    started = []

    async def work(index: int, _: int) -> None:
        started.append(index)
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    async def main() -> None:
        pool = asyncio.create_task(run_pool(count(), work, 3))
        await asyncio.sleep(10)
        pool.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pool

    run_virtual(main())
    assert started == [0, 1, 2]


def test_an_input_that_fails() -> None:
    """What the iteration raises leaves the pool after the running work has ended."""
    site = Site()

    def items() -> Iterator[float]:
        yield 5.0
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        run_virtual(run_pool(items(), site.work, 2))
    assert (site.active, site.ended) == (0, [0])
