import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aurora_spawner import SpawnTask, spawn_parallel
from aurora_spawner.testing import FakeAgent, LeakError, VirtualTimeLoop, no_leaks, run_virtual

pytest_plugins = ["pytester"]

both_clocks = pytest.mark.parametrize("run", [asyncio.run, run_virtual])
Run = Callable[[Coroutine[Any, Any, None]], None]


def test_a_block_that_cleans_up_passes() -> None:
    """A child that was reaped, a descriptor that was closed and a loop that has ended are fine."""
    with no_leaks():
        subprocess.run(FakeAgent().argv(), check=True)
        for descriptor in os.pipe():
            os.close(descriptor)
        asyncio.run(asyncio.sleep(0))


def test_a_running_child_is_named() -> None:
    """A child that still runs is a leak, told with its id and command."""
    agent = FakeAgent().read()
    with pytest.raises(LeakError) as caught, no_leaks():
        process = subprocess.Popen(agent.argv(), stdin=subprocess.PIPE)
    process.communicate()
    told = [leak for leak in caught.value.leaks if "process" in leak]
    assert len(told) == 1
    assert f"process {process.pid}:" in told[0]
    assert "fake_program" in told[0]


def test_a_child_that_nobody_reaped_is_named() -> None:
    """A zombie is a leak too."""
    started: list[subprocess.Popen[bytes]] = []

    def leave_a_zombie() -> None:
        started.append(subprocess.Popen(FakeAgent().argv()))
        os.waitid(os.P_PID, started[0].pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(LeakError, match="a zombie") as caught, no_leaks():
        leave_a_zombie()
    started[0].wait()
    assert len(caught.value.leaks) == 1


def test_an_open_descriptor_is_named() -> None:
    """A descriptor that is still open is a leak, told with its number and what it leads to."""
    with pytest.raises(LeakError) as caught, no_leaks():
        reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert [leak.partition(":")[0] for leak in sorted(caught.value.leaks)] == [
        f"descriptor {number}" for number in sorted([reader, writer])
    ]
    assert "pipe" in str(caught.value)


def test_a_reused_number_does_not_hide_a_descriptor() -> None:
    """A descriptor is new even where an older one of the same number was closed."""
    older = os.open(os.devnull, os.O_RDONLY)
    other = os.open(os.path.curdir, os.O_RDONLY)
    with pytest.raises(LeakError, match=f"descriptor {older}:"), no_leaks():
        os.dup2(other, older)
    os.close(older)
    os.close(other)


def test_a_descriptor_that_is_closed_while_it_is_looked_at_is_no_leak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread, or the garbage collector, may close one between two looks at it."""
    going = os.open(os.devnull, os.O_RDONLY)
    fstat = os.fstat

    def last_look(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        if descriptor == going:
            monkeypatch.undo()
            os.close(going)
        return status

    monkeypatch.setattr(os, "fstat", last_look)
    with no_leaks():
        pass


def test_what_was_there_before_is_no_leak() -> None:
    """Children, descriptors and loops from before the block are somebody else's."""
    process = subprocess.Popen(FakeAgent().read().argv(), stdin=subprocess.PIPE)
    loop = asyncio.new_event_loop()
    loop.call_later(60, int)
    with no_leaks():
        pass
    loop.close()
    process.communicate()


@both_clocks
def test_a_pending_timer_is_named(run: Run) -> None:
    """A timer that is set is a leak, whatever the clock; a cancelled one is not."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with no_leaks():
            loop.call_later(60, int).cancel()
        with pytest.raises(LeakError, match=r"due in (60|59\.\d+) s: .*int") as caught, no_leaks():
            timer = loop.call_later(60, int)
        timer.cancel()
        assert len(caught.value.leaks) == 1

    run(main())


@both_clocks
def test_a_pending_task_is_named(run: Run) -> None:
    """A task that has not ended is a leak; one that has, and the one that asks, are not."""

    async def main() -> None:
        with no_leaks():
            await asyncio.create_task(asyncio.sleep(0))
        with pytest.raises(LeakError, match=r"task lost: .*wait") as caught, no_leaks():
            task = asyncio.create_task(asyncio.Event().wait(), name="lost")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(caught.value.leaks) == 1

    run(main())


def test_a_loop_that_does_not_run_is_looked_at() -> None:
    """Timers of a loop that somebody forgot to close are leaks, even from outside of it."""
    loop = VirtualTimeLoop()
    with pytest.raises(LeakError, match="due in 60 s"), no_leaks():
        loop.call_later(60, int)
    loop.close()


def test_a_failing_block_keeps_its_error() -> None:
    """What the block raises goes on, with the leaks in a note."""

    def open_and_fail() -> None:
        opened.extend(os.pipe())
        raise KeyError("mine")

    opened: list[int] = []
    with pytest.raises(KeyError) as caught, no_leaks():
        open_and_fail()
    for descriptor in opened:
        os.close(descriptor)
    assert f"descriptor {opened[0]}" in caught.value.__notes__[0]


def test_spawning_leaves_nothing_behind() -> None:
    """One process or many, read or unread, ended or not by a deadline: nothing is left."""
    agents = [
        FakeAgent().echo(),
        FakeAgent().exit(1),
        FakeAgent().fork(),
        FakeAgent().fork(setsid=True),
        FakeAgent().hang(),
    ]

    async def main() -> None:
        tasks = [SpawnTask("hello", command=agent.argv(), timeout=1.0) for agent in agents]
        with no_leaks():
            await spawn_parallel(tasks, max_concurrent=5)

    with no_leaks():
        asyncio.run(main())


def test_the_fixture_fails_the_test_that_leaks(pytester: pytest.Pytester) -> None:
    """With the plugin, a test that asks for `leak_check` and leaks has an error, others not."""
    pytester.makeconftest('pytest_plugins = ["aurora_spawner.testing.plugin"]')
    pytester.makepyfile(
        """
        import os

        def test_tidy(leak_check):
            pass

        def test_untidy(leak_check):
            os.pipe()

        def test_unchecked():
            os.pipe()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:xdist")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*LeakError: left behind:*", "*descriptor *: pipe:*"])


def test_the_library_does_not_need_pytest() -> None:
    """Neither the package nor its test doubles import pytest."""
    program = "import sys, aurora_spawner.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
