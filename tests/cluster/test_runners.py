"""What every runner promises, held against each of them with real processes.

Here is what holds while everybody lives: order, limits, events, cancellation, timeouts, agents that
are slow, stopped or killed. `test_killed` has what both promise when somebody else is: the client,
or the helper that ends what a killed one started. Ten thousand tasks are in `test_losses`.

On this machine the client is the worker: who kills the one kills the other, so that a task which
kills whoever runs it ends the run, once, where a cluster tries again. And there is no scheduler to
be lost and no network to be cut. Those losses are a cluster's alone: `test_dask`, `test_losses`.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_spawner import (
    FailureType,
    OutputLine,
    Policy,
    SpawnError,
    SpawnResult,
    SpawnTask,
    spawn,
    spawn_parallel,
)
from aurora_spawner.testing import FakeAgent, survivors

from .client import runner_at
from .conftest import Opened
from .machines import SLOTS, soon

HASTY = Policy("hasty", grace=0.5)

TREE = (
    FakeAgent()
    .fork(FakeAgent().hang())
    .fork(FakeAgent().hang(), setsid=True)
    .daemon()
    .write("the tree stands\n")
)
"""A child, one in its own session, and a daemon; each would live on for a minute or for ever."""


def agent(agent: FakeAgent, prompt: str = "", timeout: float = 60.0) -> SpawnTask:
    return SpawnTask(prompt, command=agent.argv(), timeout=timeout, policy=HASTY)


def run(opened: Opened, *tasks: SpawnTask, at_once: int = 8) -> list[SpawnResult]:
    async def main() -> list[SpawnResult]:
        async with opened() as runner:
            return await spawn_parallel(tasks, at_once, runner=runner)

    return asyncio.run(main())


@pytest.fixture
def confirmed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No cancellation waits in vain for the news that its agent is gone."""
    yield
    ours = [each for each in caplog.get_records("call") if each.name == "aurora_spawner"]
    assert [each.getMessage() for each in ours] == []


def gone(pids: Path, seconds: float) -> bool:
    """Whether all that was recorded is gone, or goes within that time."""
    deadline = time.monotonic() + seconds
    while survivors(pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_results_come_in_the_order_of_the_tasks(opened: Opened) -> None:
    """F38: one result per task, in their order, whichever ends first."""
    tasks = [
        agent(FakeAgent().sleep(0.15 * (number % 3 == 0)).echo(), str(number))
        for number in range(24)
    ]
    results = run(opened, *tasks)
    assert [result.output for result in results] == [str(number) for number in range(24)]
    assert all(result.success and result.execution_time > 0 for result in results)


def test_no_more_run_at_once_than_the_limit(opened: Opened, tmp_path: Path) -> None:
    """F38: of many tasks exactly as many run at once as the limit says, never one more."""
    trail = tmp_path / "trail"
    script = f'echo + >> "{trail}"; sleep 0.1; echo - >> "{trail}"'
    tasks = [SpawnTask("", command=("sh", "-c", script)) for _ in range(12)]
    assert all(result.success for result in run(opened, *tasks, at_once=3))
    running = most = 0
    for step in trail.read_text().split():
        running += 1 if step == "+" else -1
        most = max(most, running)
    assert (running, most) == (0, 3)


def test_events_come_as_they_happen_and_before_the_result(opened: Opened, tmp_path: Path) -> None:
    """Lines of both streams come in order while the agent still runs, the last before its end."""
    go = tmp_path / "go"
    script = f'echo one; echo aside >&2; while [ ! -e "{go}" ]; do sleep 0.01; done; echo two'

    async def main() -> tuple[list[OutputLine], SpawnResult]:
        lines: list[OutputLine] = []
        both = asyncio.Event()

        def heard(event: object) -> None:
            assert isinstance(event, OutputLine)
            lines.append(event)
            if len(lines) == 2:
                both.set()

        async with opened() as runner:
            running = asyncio.create_task(
                spawn(SpawnTask("", command=("sh", "-c", script)), runner=runner, on_event=heard)
            )
            await both.wait()
            assert not running.done()
            go.touch()
            result = await running
            assert len(lines) == 3
            return lines, result

    lines, result = asyncio.run(main())
    assert sorted(line.text for line in lines[:2]) == ["aside", "one"]
    assert lines[2] == OutputLine("stdout", "two")
    assert (result.output, result.stderr) == ("one\ntwo\n", "aside\n")


def cancel_once_it_speaks(opened: Opened, task: SpawnTask, pids: Path, standing: int) -> None:
    """Cancel an agent of so many processes; none of them is left when `run` raises."""

    async def main() -> None:
        heard = asyncio.Event()
        async with opened() as runner:
            running = asyncio.create_task(
                spawn(task, runner=runner, on_event=lambda _: heard.set())
            )
            await heard.wait()
            assert len(survivors(pids)) == standing
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert survivors(pids) == ()

    asyncio.run(main())


@pytest.mark.usefixtures("confirmed")
def test_a_cancellation_ends_the_whole_tree_before_it_is_passed_on(
    opened: Opened, tmp_path: Path
) -> None:
    """F25: child, session leader and daemon of a cancelled agent are gone when `run` raises."""
    pids = tmp_path / "pids"
    task = agent(FakeAgent(FakeAgent().record_pids(pids).steps + TREE.steps).hang())

    cancel_once_it_speaks(opened, task, pids, standing=4)


@pytest.mark.usefixtures("confirmed")
def test_a_cancelled_crowd_is_gone_and_those_that_waited_never_begin(
    opened: Opened, tmp_path: Path
) -> None:
    """F25: when a cancelled `spawn_parallel` raises, nobody runs, and nobody begins later."""
    pids = tmp_path / "pids"
    tasks = [agent(FakeAgent().record_pids(pids).daemon().hang())] * 12

    async def main() -> None:
        async with opened() as runner:
            working = asyncio.create_task(spawn_parallel(tasks, 3, runner=runner))
            await soon(lambda: pids.exists() and len(survivors(pids)) == 6)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert survivors(pids) == ()
            # Whoever began late would be known by the time that another one has run.
            assert (await spawn(agent(FakeAgent().echo(), "next"), runner=runner)).success

    asyncio.run(main())
    assert len(pids.read_text().splitlines()) == 6


@pytest.mark.usefixtures("confirmed")
def test_one_that_ignores_a_request_to_end_is_killed(opened: Opened, tmp_path: Path) -> None:
    """F23: a cancelled agent that ignores TERM is killed after its grace, before `run` raises."""
    pids = tmp_path / "pids"
    deaf = FakeAgent().record_pids(pids).ignore(signal.SIGTERM).write("deaf\n").hang()

    cancel_once_it_speaks(opened, agent(deaf), pids, standing=1)


@pytest.mark.usefixtures("confirmed")
def test_cancelled_at_any_moment_nothing_runs_on(opened: Opened, tmp_path: Path) -> None:
    """F25: cancelled before, while or after it starts, an agent is gone when `run` has raised."""
    pids = tmp_path / "pids"
    pids.touch()

    async def main() -> None:
        async with opened() as runner:
            for moment in (0.0, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.2):
                crowd = [
                    asyncio.create_task(
                        spawn(agent(FakeAgent().record_pids(pids).hang()), runner=runner)
                    )
                    for _ in range(4)
                ]
                await asyncio.sleep(moment)
                for running in crowd:
                    running.cancel()
                ended = await asyncio.gather(*crowd, return_exceptions=True)
                assert all(isinstance(end, asyncio.CancelledError) for end in ended)
                assert survivors(pids) == ()
            # Nobody begins late.
            await asyncio.sleep(0.2)
            assert survivors(pids) == ()
            assert (await spawn(agent(FakeAgent().echo(), "still"), runner=runner)).success

    asyncio.run(main())


@pytest.mark.parametrize("end", [FakeAgent().hang(), FakeAgent().stop()], ids=["hangs", "stopped"])
def test_a_timeout_keeps_what_was_said_and_leaves_nothing(
    end: FakeAgent, opened: Opened, tmp_path: Path
) -> None:
    """F18, F24: at its timeout the tree of a slow agent ends, of a stopped one too; the result says
    why and keeps the output."""
    pids = tmp_path / "pids"
    steps = FakeAgent().record_pids(pids).steps + TREE.steps + end.steps
    (result,) = run(opened, agent(FakeAgent(steps), timeout=1.0))
    assert not result.success
    assert result.failure_type is FailureType.TIMEOUT
    assert "Timeout" in str(result.termination_reason)
    assert result.output == "the tree stands\n"
    assert gone(pids, 0)


def test_a_slow_agent_holds_up_nobody_else(address: str | None, tmp_path: Path) -> None:
    """While slow agents hold all places but one, all the others get their turn in that one."""
    go = tmp_path / "go"
    slow = ("sh", "-c", f'while [ ! -e "{go}" ]; do sleep 0.02; done')
    tasks = [SpawnTask("", command=slow, timeout=60)] * (2 * SLOTS - 1)
    tasks += [SpawnTask(str(number), command=("cat",)) for number in range(20)]
    completed: list[int] = []

    def on_progress(number: int, total: int, agent_id: str, status: str) -> None:
        if status.startswith("Completed"):
            completed.append(number)
        if len(completed) == 20:
            go.touch()

    async def main() -> list[SpawnResult]:
        # A cluster is asked for all of them at once, and has the places.
        at_once = 2 * SLOTS if address is None else len(tasks)
        async with runner_at(address) as runner:
            return await spawn_parallel(tasks, at_once, on_progress, runner=runner)

    results = asyncio.run(main())
    assert all(result.success for result in results), results
    assert [result.output for result in results[2 * SLOTS - 1 :]] == list(map(str, range(20)))
    assert sorted(completed[:20]) == list(range(2 * SLOTS, 2 * SLOTS + 20))


def test_a_killed_agent_is_a_result_and_is_not_run_again(opened: Opened, tmp_path: Path) -> None:
    """F17: an agent that is killed with its whole group fails, once, and says by what; its output
    is kept, its daemon ends, and the others know nothing of it."""
    pids, begun = tmp_path / "pids", tmp_path / "begun"
    daemon = shlex.join(FakeAgent().record_pids(pids).daemon().argv())
    killed = ("sh", "-c", f'echo >> "{begun}"; echo so far; {daemon}; kill -9 0; sleep 60')
    tasks = [SpawnTask(str(number), command=("cat",)) for number in range(20)]
    tasks[10] = SpawnTask("", command=killed)
    results = run(opened, *tasks)
    result = results.pop(10)
    assert (result.success, result.exit_code) == (False, -signal.SIGKILL)
    assert (result.output, result.error) == ("so far\n", "killed by SIGKILL")
    assert begun.read_text() == "\n"
    assert pids.exists()
    assert gone(pids, 0)
    assert [each.output for each in results] == [str(n) for n in range(20) if n != 10]


def test_what_an_agent_does_wrong_is_a_result(opened: Opened, tmp_path: Path) -> None:
    """F17, F33: an exit code, a signal, a missing program and a missing folder are told apart."""
    failed, killed, missing, homeless = run(
        opened,
        agent(FakeAgent().write("no such luck\n", to="stderr").exit(3)),
        SpawnTask("", command=("sh", "-c", "kill -SEGV $$")),
        SpawnTask("", command=("no-such-program-here",)),
        SpawnTask("", command=("true",), cwd=str(tmp_path / "nowhere")),
    )
    assert (failed.exit_code, failed.error) == (3, "exit 3: no such luck")
    assert (killed.exit_code, killed.error) == (-11, "killed by SIGSEGV")
    assert missing.failure_type is FailureType.NOT_FOUND
    assert "no-such-program-here" in str(missing.error)
    assert "nowhere" in str(homeless.error)


def test_misuse_is_raised(opened: Opened) -> None:
    """A tool that nobody registered is raised and names the known ones, wherever it was missed."""

    async def main() -> None:
        async with opened() as runner:
            with pytest.raises(SpawnError, match=r"unknown tool .nobody.*claude"):
                await spawn(SpawnTask("", tool="nobody"), runner=runner)

    asyncio.run(main())


def test_a_task_arrives_as_it_is(opened: Opened, tmp_path: Path) -> None:
    """Prompt, folder and variables reach the agent, whatever they hold."""
    prompt = 'a "quoted" prompt\0 with a line\nand ünïcödé \N{PILE OF POO}'
    script = 'cat; printf "%s" "|$WORD|$PWD"'
    (result,) = run(
        opened,
        SpawnTask(prompt, command=("sh", "-c", script), cwd=str(tmp_path), env={"WORD": "ä b"}),
    )
    assert result.output == f"{prompt}|ä b|{tmp_path}"


def test_without_a_folder_an_agent_stands_where_we_stand(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that names no folder runs in the client's current one; a relative one is below it."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    here, below = run(
        opened, SpawnTask("", command=("pwd",)), SpawnTask("", command=("pwd",), cwd="below")
    )
    assert (here.output, below.output) == (f"{tmp_path}\n", f"{tmp_path}/below\n")


def test_a_flood_arrives_whole(opened: Opened) -> None:
    """F4, F6, F7: megabytes with NUL bytes and broken UTF-8 come back as they do from here."""
    (result,) = run(opened, agent(FakeAgent().fill(3_000_000, b"x\0\xff")))
    assert result.output == "x\0\ufffd" * 1_000_000
    assert result.dropped_bytes == 0


def test_a_tool_answers_through_its_adapter(opened: Opened) -> None:
    """The adapter is named, not shipped: `extract` answers on whatever machine it is."""
    (result,) = run(opened, SpawnTask("Say what matters: the dog barks.", tool="extract"))
    assert result.success, result.error
    assert result.tool == "extract"
    assert "dog" in result.output
