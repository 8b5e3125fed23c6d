"""Edges of every room: each of these was once missed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
from pathlib import Path

import pytest

from aurora_spawner import (
    FailureType,
    Limits,
    RecoverableTask,
    RetryPolicy,
    SpawnError,
    SpawnResult,
    SpawnTask,
    get_tool,
    run_process,
    spawn,
    spawn_parallel,
    spawn_with_retry_and_fallback,
)
from aurora_spawner.pool import run_pool
from aurora_spawner.recovery import recover
from aurora_spawner.testing import run_virtual

BAD = SpawnResult(success=False, output="", error="no", exit_code=1)


@pytest.mark.timeout(5)
def test_a_year_takes_no_time() -> None:
    """A sleep of a year ends: the clock's steps are not lost in the rounding of large numbers."""
    run_virtual(asyncio.sleep(365 * 86400))


def test_total_of_an_input_without_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the input has no length, `total` is the number of tasks drawn so far."""

    async def second(task: SpawnTask) -> SpawnResult:
        await asyncio.sleep(1)
        return BAD

    monkeypatch.setattr("aurora_spawner.spawner.spawn", second)
    heard: list[tuple[int, int, str, str]] = []
    tasks = (SpawnTask(str(number)) for number in range(3))
    run_virtual(spawn_parallel(tasks, 3, lambda *args: heard.append(args)))
    assert [total for _, total, _, status in heard if status != "Starting"] == [3, 3, 3]


@pytest.mark.parametrize(
    "task",
    [
        SpawnTask("\ud800", command=("true",)),
        SpawnTask("q", command=("true",), cwd="a\0b"),
        SpawnTask("q", command=("true",), cwd="\ud800"),
    ],
    ids=["prompt with a lone surrogate", "NUL in cwd", "lone surrogate in cwd"],
)
def test_f35_misuse_is_a_spawn_error(task: SpawnTask) -> None:
    """F35: what cannot be handed to a process is refused as misuse, with its field."""
    with pytest.raises(SpawnError):
        asyncio.run(spawn(task))


def test_out_of_descriptors_is_not_permanent(monkeypatch: pytest.MonkeyPatch) -> None:
    """F36: a start that failed for lack of descriptors may be retried, so it is not
    `not_found`."""

    def pipe() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    async def main() -> SpawnResult:
        monkeypatch.setattr(os, "pipe", pipe)
        return await spawn(SpawnTask("", command=("true",)))

    assert asyncio.run(main()).failure_type is not FailureType.NOT_FOUND


def test_misuse_is_not_retried() -> None:
    """A tool that nobody registered is told at once, by raising or by a result."""

    async def main() -> float:
        with contextlib.suppress(SpawnError):
            await spawn_with_retry_and_fallback(SpawnTask("q", agent="a", tool="hal"))
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0


@pytest.mark.parametrize("retries", [-1, -5])
def test_negative_retries(retries: int) -> None:
    """A negative `max_retries` is refused, or means none: it is never told as `retry_count`."""

    async def fail(task: SpawnTask) -> SpawnResult:
        return BAD

    task = RecoverableTask(prompt="q", spawn=fail, max_retries=retries)
    with contextlib.suppress(ValueError):
        assert run_virtual(recover(task)).retry_count == 0


def test_a_steep_backoff() -> None:
    """However steep a backoff grows, its delay is at most the cap."""
    assert RetryPolicy(factor=1e6).delay(100, 0) <= 60


def test_a_fraction_is_no_limit() -> None:
    """A limit of one and a half is refused, or at least never exceeded."""
    active = most = 0

    async def work(index: int, item: int) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(1)
        active -= 1

    try:
        run_virtual(run_pool(range(5), work, 1.5))  # type: ignore[arg-type]
    except ValueError:
        return
    assert most <= 1.5


def test_a_path_that_the_child_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F33: a program on our PATH, for a child whose environment has none, is `not_found`, not
    `bad_interpreter`."""
    program = tmp_path / "prog"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    ended = asyncio.run(run_process(["prog"], env={"A": "b"}))
    assert ended.start_error is None or ended.start_error.kind == "not_found"


@pytest.mark.parametrize(
    "limits",
    [
        Limits(grace=-1.0),
        Limits(grace=float("nan")),
        Limits(drain=float("nan")),
        Limits(output_bytes=-5),
    ],
    ids=repr,
)
def test_f37_every_limit(limits: Limits) -> None:
    """F37: a limit that is no number of seconds or bytes is a ValueError before any spawn."""
    with pytest.raises(ValueError, match=r"grace|drain|output_bytes"):
        asyncio.run(run_process(["true"], limits=limits))


@pytest.mark.timeout(20)
def test_f25_a_cancellation_does_not_wait_for_the_drain() -> None:
    """F25: cancelled while leftovers hold the pipes, they are killed at once, whatever the
    drain."""

    async def main() -> None:
        running = asyncio.create_task(
            run_process(["sh", "-c", "sleep 1000 & exit 0"], limits=Limits(drain=1000))
        )
        await asyncio.sleep(1)  # the leader has exited
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())


def test_an_error_without_words() -> None:
    """A result that is an error and brings no text (`error_during_execution`) is a failure with
    some words: an `error` is never empty."""
    reader = get_tool("claude").reader()
    event = {"type": "result", "subtype": "error_during_execution", "is_error": True}
    reader.line(json.dumps(event))
    assert reader.answer(1, "", "").error


def test_content_of_another_shape() -> None:
    """A message whose content is no list means nothing, and harms nothing."""
    line = '{"type": "assistant", "message": {"content": 5}}'
    assert list(get_tool("claude").reader().line(line)) == []


def test_output_can_be_encoded() -> None:
    """A lone surrogate in a tool's JSON does not reach `output`, which everybody encodes."""
    reader = get_tool("claude").reader()
    reader.line('{"type": "result", "is_error": false, "result": "cut \\ud83d"}')
    assert reader.answer(0, "", "").text.encode()
