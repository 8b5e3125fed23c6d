"""The face: run one task, many at once, one after the other, or one with recovery.

The other functions look `spawn` up in this module when they call it, so that a test can put
another one in its place.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sized
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from typing import Any

from aurora_spawner.callbacks import Quiet
from aurora_spawner.events import (
    Event,
    OnEvent,
    OnProgress,
    StreamEvent,
    outcome_of,
    status_of,
)
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnRequest, SpawnResult, SpawnTask
from aurora_spawner.policy import Policy, named_policy
from aurora_spawner.pool import Items, run_pool
from aurora_spawner.recovery import Gate, RecoverableTask, recover
from aurora_spawner.runners import LocalRunner, Runner
from aurora_spawner.streaming import stream_tasks
from aurora_spawner.tools import find_agent_cli, missing_agent_cli

__all__ = [
    "spawn",
    "spawn_parallel",
    "spawn_sequential",
    "spawn_with_retry_and_fallback",
    "stream",
]


async def spawn(
    task: SpawnTask,
    *,
    tool: str | None = None,
    model: str | None = None,
    config: Mapping[str, Any] | None = None,
    policy: Policy | str | None = None,
    cwd: str | None = None,
    on_event: OnEvent | None = None,
    runner: Runner | None = None,
) -> SpawnResult:
    """Run one attempt of a task.

    The tool is the first of: `tool`, the task's own, `command` if the task has one, the variable
    AURORA_SPAWN_TOOL, `config["spawner"]["tool"]`, the first agent CLI on PATH. The model
    likewise (AURORA_SPAWN_MODEL, `config["spawner"]["model"]`), without a search.

    Args:
        task: What to do.
        tool: Name of the tool.
        model: Name of the model, passed on to the tool.
        config: Settings; only `config["spawner"]` is read.
        policy: Wins over the task's own.
        cwd: Wins over the task's own.
        on_event: Gets lines and warnings as they come; what it raises is logged once and ignored.
        runner: Where to run; None is this machine.

    Returns:
        What became of it. Whatever the agent does wrong is a result.

    Raises:
        SpawnError: The task cannot be run as it stands.
        asyncio.CancelledError: After the process and its group have ended.
    """
    task.validate()
    settings = (config or {}).get("spawner") or {}
    patience = named_policy(policy or task.policy)
    if policy is None and task.policy is None:
        # Nobody chose a preset: the task's own timeout is obeyed as it is.
        patience = replace(patience, max_timeout=float(task.timeout))
    if isinstance(task, RecoverableTask):
        on_event = on_event or task.on_event
    chosen = tool or task.tool or (task.command and "command")
    chosen = chosen or os.environ.get("AURORA_SPAWN_TOOL") or settings.get("tool")
    chosen = chosen or find_agent_cli()
    if chosen is None:
        return SpawnResult.failed(missing_agent_cli(), FailureType.NOT_FOUND)
    request = SpawnRequest(
        prompt=f"{task.persona}\n\n{task.prompt}" if task.persona else task.prompt,
        tool=chosen,
        agent=task.agent,
        model=model or task.model or os.environ.get("AURORA_SPAWN_MODEL") or settings.get("model"),
        command=task.command,
        cwd=cwd or task.cwd,
        env=task.env,
        timeout=float(task.timeout),
        policy=patience,
        log_dir=task.log_dir,
        session_id=task.session_id,
        permissions=task.permissions,
        inherit=task.inherit,
    )
    heard: Quiet[[Event]] = Quiet(on_event)
    return await (runner or _LOCAL).run(request, heard or None)


_LOCAL = LocalRunner()


async def spawn_parallel(
    tasks: Items[SpawnTask],
    max_concurrent: int = 5,
    on_progress: OnProgress | None = None,
    **kwargs: Any,
) -> list[SpawnResult]:
    """Run many tasks, at most `max_concurrent` at once.

    Args:
        tasks: Any iterable, also an asynchronous one; drawn from only when there is a slot.
        max_concurrent: The limit, at least 1.
        on_progress: `on_progress(idx, total, agent_id, status)`, `idx` from 1, status `Starting`,
            then `Completed (1.2s)` or `Failed: ...`. Where the input has no length, `total` is
            the number of tasks drawn so far. What it raises is logged once and ignored.
        **kwargs: Passed on to every `spawn` as they are.

    Returns:
        One result per task, in the order of the tasks; `[]` for none.

    Raises:
        ValueError: `max_concurrent` is below 1, or a task of a list cannot be run as it stands;
            nothing was started.
        asyncio.CancelledError: From outside or inside, after every sibling's process has ended.
    """
    report = _Progress(tasks, on_progress)
    if isinstance(tasks, (list, tuple)):
        for task in tasks:
            task.validate()

    return await run_pool(
        tasks, lambda index, task: _reported(index, task, report, kwargs), max_concurrent
    )


def stream(
    tasks: Items[SpawnTask], max_concurrent: int = 5, **kwargs: Any
) -> AbstractAsyncContextManager[AsyncIterator[StreamEvent]]:
    """Run many tasks, and tell what happens as it happens: for long or endless input.

        async with stream(tasks, max_concurrent=8) as events:
            async for event in events:
                match event:
                    case TaskFinished(index, task, result): ...

    Memory is bounded by the limit, whatever the length of the input: tasks are drawn only when
    there is a slot, and nothing new starts while the reader is behind. Lines of output are left
    out then; `result.output` has them all. A `RecoverableTask` is recovered as it says. Leaving
    the block ends every process that still runs, before it is left.

    Args:
        tasks: As in `spawn_parallel`.
        max_concurrent: As in `spawn_parallel`.
        **kwargs: Passed on to every `spawn`.

    Raises:
        ValueError: `max_concurrent` is below 1.
    """

    async def run(task: SpawnTask, tell: Callable[[Event], None]) -> SpawnResult:
        if isinstance(task, RecoverableTask):
            return await recover(replace(task, on_event=task.on_event or tell))
        return await spawn(task, on_event=tell, **kwargs)

    return stream_tasks(tasks, run, max_concurrent)


async def spawn_sequential(
    tasks: Iterable[SpawnTask],
    on_progress: OnProgress | None = None,
    *,
    stop_on_failure: bool = False,
    **kwargs: Any,
) -> list[SpawnResult]:
    """Run tasks one after the other.

    Args:
        tasks: Any iterable.
        on_progress: As in `spawn_parallel`.
        stop_on_failure: Start nothing after a failed task; the list ends with its result.
        **kwargs: Passed on to every `spawn` as they are.

    Returns:
        One result per task that was started, in order.
    """
    report = _Progress(tasks, on_progress)
    results: list[SpawnResult] = []
    for index, task in enumerate(tasks):
        results.append(await _reported(index, task, report, kwargs))
        if stop_on_failure and not results[-1].success:
            break
    return results


async def spawn_with_retry_and_fallback(
    task: SpawnTask,
    *,
    max_retries: int = 2,
    fallback_to_llm: bool = True,
    gate: Gate | None = None,
    on_progress: OnProgress | None = None,
) -> SpawnResult:
    """Run a task; retry it with backoff; ask the plain LLM if the agent fails for good.

    A `RecoverableTask` brings all of this along, and the keywords do not apply.

    Args:
        task: What to do.
        max_retries: Further attempts after a failed one.
        fallback_to_llm: Ask without the agent after the last attempt has failed.
        gate: Asked before each attempt and told its outcome; a circuit breaker is one.
        on_progress: `on_progress(1, 1, agent_id, status)`, status as in `spawn_parallel`, and
            `Retry 1/2 in 2.0s`, `Fallback to LLM`.

    Returns:
        The last result; `retry_count` says how many attempts of the agent came before it.

    Raises:
        SpawnError: The task cannot be run as it stands.
    """
    task.validate()
    if isinstance(task, RecoverableTask):
        return await recover(task)
    report = _Progress([task], on_progress)

    def on_event(event: Event) -> None:
        status = status_of(event)
        if status is not None:
            report(0, task, status)

    report(0, task, "Starting")
    plain = {field.name: getattr(task, field.name) for field in fields(SpawnTask)}
    result = await recover(
        RecoverableTask(
            **plain,
            spawn=lambda attempt: spawn(attempt),  # noqa: PLW0108 - looked up when called
            max_retries=max_retries,
            fallback_to_llm=fallback_to_llm,
            gate=gate,
            on_event=on_event if on_progress is not None else None,
        )
    )
    report(0, task, outcome_of(result))
    return result


class _Progress:
    """Turns what happens to tasks into calls of a progress callback."""

    def __init__(self, tasks: Items[SpawnTask], callback: OnProgress | None) -> None:
        self._callback = Quiet(callback)
        # Without a length the total grows with what is drawn.
        self._total = len(tasks) if isinstance(tasks, Sized) else 0

    def __call__(self, index: int, task: SpawnTask, status: str) -> None:
        self._total = max(self._total, index + 1)
        self._callback(index + 1, self._total, task.agent or "llm", status)


async def _reported(
    index: int, task: SpawnTask, report: _Progress, kwargs: Mapping[str, Any]
) -> SpawnResult:
    """One task of many: started and ended aloud, an exception made a result."""
    report(index, task, "Starting")
    try:
        result = await spawn(task, **kwargs)
    except Exception as error:
        result = SpawnResult.failed(error)
    report(index, task, outcome_of(result))
    return result
