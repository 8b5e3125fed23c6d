"""The event loop in virtual time."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner.testing import Deadlock, VirtualTimeLoop, run_virtual


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_month_takes_no_time() -> None:
    """A month of sleeping passes on the loop's clock and takes none of ours."""

    async def sleep() -> float:
        began = now()
        await asyncio.sleep(30 * 86400)
        return now() - began

    began = time.monotonic()
    assert run_virtual(sleep()) == pytest.approx(30 * 86400)
    assert time.monotonic() - began < 60


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_timers_fire_in_their_order_at_their_time(delays: list[float]) -> None:
    """Sleepers wake in the order of their delays, each when its delay is over."""

    async def main() -> list[tuple[float, float]]:
        woken: list[tuple[float, float]] = []

        async def sleep(delay: float) -> None:
            await asyncio.sleep(delay)
            woken.append((now(), delay))

        await asyncio.gather(*map(sleep, delays))
        return woken

    woken = run_virtual(main())
    assert [delay for _, delay in woken] == sorted(delays)
    assert [at for at, _ in woken] == pytest.approx(sorted(delays), abs=1e-6)


def test_time_stands_still_while_anything_can_run() -> None:
    """However many steps ready tasks take, the clock moves only when none is ready."""

    async def main() -> None:
        timer = asyncio.create_task(asyncio.sleep(1))
        for _ in range(1000):
            await asyncio.sleep(0)
            assert now() == 0
        assert not timer.done()
        await timer
        assert now() == 1

    run_virtual(main())


def test_timeouts_are_virtual() -> None:
    """`asyncio.timeout` and `wait_for` go by the virtual clock."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(7200), 3600)
        return now()

    assert run_virtual(main()) == 3600


def test_a_deadlock_is_told() -> None:
    """A wait that nothing can end raises at once instead of hanging."""

    async def wait() -> None:
        await asyncio.sleep(1)
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="no timer"):
        run_virtual(wait())


def schedule(seed: int | None) -> list[int]:
    """The order in which ten tasks that are ready together do their three steps."""

    async def main() -> list[int]:
        steps: list[int] = []

        async def work(number: int) -> None:
            for _ in range(3):
                steps.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*map(work, range(10)))
        return steps

    return run_virtual(main(), seed=seed)


@given(st.integers())
def test_a_seed_is_reproducible(seed: int) -> None:
    """The same seed gives the same schedule, and every step of every task is in it."""
    steps = schedule(seed)
    assert steps == schedule(seed)
    assert sorted(steps) == sorted(list(range(10)) * 3)


def test_seeds_differ() -> None:
    """Seeds show schedules that the plain loop never shows."""
    plain = schedule(None)
    assert plain == list(range(10)) * 3
    shuffled = {tuple(schedule(seed)) for seed in range(10)}
    assert len(shuffled) > 5
    assert tuple(plain) not in shuffled


def test_a_failure_names_its_seed() -> None:
    """What a seeded run raises carries the seed as a note; an unseeded one carries none."""

    async def fail() -> None:
        raise ValueError("here")

    with pytest.raises(ValueError, match="here") as seeded:
        run_virtual(fail(), seed=42)
    assert seeded.value.__notes__ == ["schedule seed: 42"]
    with pytest.raises(ValueError, match="here") as plain:
        run_virtual(fail())
    assert not hasattr(plain.value, "__notes__")


def test_the_result_comes_back_and_tasks_are_cancelled() -> None:
    """Like `asyncio.run` it returns the result and cancels what is left."""
    ended = []

    async def linger() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(now())

    async def main() -> str:
        task = asyncio.create_task(linger())
        await asyncio.sleep(1)
        assert not task.done()
        return "result"

    assert run_virtual(main()) == "result"
    assert ended == [1]


def test_as_a_loop_factory() -> None:
    """`VirtualTimeLoop` serves wherever a loop factory is asked for."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(asyncio.sleep(3600))
        assert runner.get_loop().time() == 3600
