"""Collect: every subgoal to its agent, each as soon as what it depends on is done.

`spawn`, `spawn_with_retry_and_fallback` and `_get_agent_matcher` are looked up in this module
when they are called, so that a test can put others in their place.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aurora_circuit_breaker import CircuitBreaker, get_circuit_breaker
from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment, assign, positive_seconds
from aurora_soar.events import OnRunEvent, RunEvent, SubgoalEvent, SubgoalFinished, SubgoalStarted
from aurora_soar.matching import AgentMatcher, plain_persona
from aurora_soar.phases.permits import Permits
from aurora_soar.prompt import build_prompt
from aurora_soar.results import AgentOutput, CollectResult, Outcome
from aurora_soar.tally import Tally
from aurora_spawner import (
    PRESETS,
    AttemptFinished,
    Event,
    OnProgress,
    Quiet,
    RecoverableTask,
    SpawnResult,
    outcome_of,
    spawn,
    spawn_with_retry_and_fallback,
    status_of,
)

__all__ = ["execute_agents"]

_log = logging.getLogger("aurora_soar")

# Room for one attempt of full length and half of another, so that ten stuck agents do not take
# ten times as long; a fallback after an attempt of full length does not fit.
_GLOBAL_TIMEOUT_FACTOR = 1.5

# How much longer than an attempt its permit lives, seconds: time to stop a process and say so.
_LEASE_MARGIN = 60.0


def _get_agent_matcher() -> AgentMatcher | None:
    """Who makes personas for adhoc agents; None: they get the plain one."""
    return AgentMatcher()


@dataclass(frozen=True, slots=True)
class _Settings:
    """What holds for every assignment of a run; see `execute_agents`."""

    breaker: CircuitBreaker
    fallback_to_llm: bool
    max_concurrent: int
    background: str
    tool: str | None
    model: str | None


async def execute_agents(
    agent_assignments: Sequence[tuple[int, Agent]],
    subgoals: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    agent_timeout: float = 300.0,
    max_retries: int = 2,
    fallback_to_llm: bool = True,
    *,
    max_concurrent: int = 5,
    global_timeout: float | None = None,
    breaker: CircuitBreaker | None = None,
    on_event: OnRunEvent | None = None,
    tool: str | None = None,
    model: str | None = None,
    stop: asyncio.Event | None = None,
) -> CollectResult:
    """Run every assignment to its end, as parallel as dependencies and the limit allow.

    Args:
        agent_assignments: Pairs of a subgoal's index and the agent that gets it.
        subgoals: Mappings with `description` or `prompt`; optional: `subgoal_index` (default: its
            position), `id`, `depends_on` (ids or indexes), `on_dependency_failure` (`skip`, `run`
            or `stop`), `is_critical`, `timeout` (seconds), `retries`.
        context: `context["background"]`, if it is text, stands before every prompt.
        on_progress: `on_progress(idx, total, agent_id, status)`; what it raises is logged once.
        agent_timeout: Seconds for one attempt.
        max_retries: Further attempts of an agent after a failed one.
        fallback_to_llm: Ask the plain LLM where an agent failed or its circuit is open. Agents
            that are programs have no fallback.
        max_concurrent: Agents at once, at least 1.
        global_timeout: Seconds for all; None is `agent_timeout * 1.5`.
        breaker: Asked before each attempt; None is the process's own.
        on_event: Gets every event; what it raises is logged once and ignored.
        tool: For prompts whose agent names no tool.
        model: For prompts whose agent names no model.
        stop: Once it is set, nothing new starts; what runs may finish.

    Returns:
        One output per assignment, in their order, also after the global timeout.

    Raises:
        ValueError: `max_concurrent` is below 1, a timeout is no positive number, an assignment or
            a `depends_on` names no subgoal, or dependencies form a circle; nothing was started.
        asyncio.CancelledError: After every agent's process has ended.
    """
    if not max_concurrent >= 1:
        raise ValueError(f"max_concurrent must be at least 1, not {max_concurrent!r}")
    assignments = assign(
        agent_assignments,
        subgoals,
        timeout=positive_seconds("agent_timeout", agent_timeout),
        retries=max_retries,
    )
    if global_timeout is None:
        global_timeout = agent_timeout * _GLOBAL_TIMEOUT_FACTOR
    background = (context or {}).get("background")
    collect = _Collect(
        assignments,
        _Settings(
            breaker=get_circuit_breaker() if breaker is None else breaker,
            fallback_to_llm=fallback_to_llm,
            max_concurrent=max_concurrent,
            background=background if isinstance(background, str) else "",
            tool=tool,
            model=model,
        ),
        on_progress=on_progress,
        on_event=on_event,
        stop=stop,
    )
    return await collect.run(positive_seconds("global_timeout", global_timeout))


class _Collect:
    """One run."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        settings: _Settings,
        *,
        on_progress: OnProgress | None,
        on_event: OnRunEvent | None,
        stop: asyncio.Event | None,
    ) -> None:
        self._assignments = assignments
        self._settings = settings
        self._progress = Quiet(on_progress)
        self._emit: Quiet[[RunEvent]] = Quiet(on_event)
        self._stop = stop
        self._halted: str | None = None
        self._slots = asyncio.Semaphore(settings.max_concurrent)
        self._outputs: dict[int, AgentOutput] = {}
        self._done = [asyncio.Event() for _ in assignments]
        self._tally = Tally()
        self._deadline = 0.0

    # Scheduling

    async def run(self, global_timeout: float) -> CollectResult:
        loop = asyncio.get_running_loop()
        started = loop.time()
        runner = asyncio.current_task()
        assert runner is not None
        self._runner = runner
        self._deadline = started + global_timeout
        workers = [asyncio.create_task(self._work(each)) for each in self._assignments]
        try:
            if workers:
                await asyncio.wait(workers, timeout=global_timeout)
        finally:
            await _end(workers)
        self._note_unfinished(global_timeout)
        outputs = [self._outputs[each.position] for each in self._assignments]
        return CollectResult(
            agent_outputs=outputs,
            execution_metadata=self._tally.metadata(outputs, loop.time() - started),
            fallback_agents=[output.agent_id for output in outputs if output.fallback],
        )

    async def _work(self, assignment: Assignment) -> None:
        """One assignment, from waiting for its dependencies to its output."""
        for position in assignment.needs:
            await self._done[position].wait()
        reason = self._broken_dependency(assignment)
        output = self._skipped(assignment, reason) if reason else await self._in_turn(assignment)
        if assignment.is_critical and not output.success:
            self._halt(f'critical subgoal "{assignment.name}" did not succeed')
        self._finish(assignment, output)

    async def _in_turn(self, assignment: Assignment) -> AgentOutput:
        """Wait for a slot, then start, unless nothing starts any more."""
        async with self._slots:
            reason = self._why_nothing_starts()
            return self._skipped(assignment, reason) if reason else await self._start(assignment)

    def _skipped(self, assignment: Assignment, reason: str) -> AgentOutput:
        self._say(assignment, f"Skipped: {reason}")
        return self._output(assignment, Outcome.SKIPPED, error=reason)

    def _broken_dependency(self, assignment: Assignment) -> str | None:
        """Why an assignment is not even tried; None if it is."""
        broken = [
            self._assignments[position].name
            for position in assignment.needs
            if not self._outputs[position].success
        ]
        if not broken or assignment.on_dependency_failure == "run":
            return None
        reason = f"needs {', '.join(broken)}"
        if assignment.on_dependency_failure == "stop":
            self._halt(f'"{assignment.name}" {reason}, which failed')
        return reason

    def _halt(self, reason: str) -> None:
        """From now on nothing new starts."""
        self._halted = self._halted or reason

    def _why_nothing_starts(self) -> str | None:
        if self._halted is None and self._stop is not None and self._stop.is_set():
            self._halt("the run was stopped")
        return self._halted

    def _finish(self, assignment: Assignment, output: AgentOutput) -> None:
        self._outputs[assignment.position] = output
        self._emit(SubgoalFinished(assignment.position, output))
        self._done[assignment.position].set()

    def _note_unfinished(self, global_timeout: float) -> None:
        """After the global timeout: every assignment without an output gets one that says so."""
        cut = [each for each in self._assignments if each.position not in self._outputs]
        if not cut:
            return
        _log.warning(
            "global timeout after %gs: %d of %d subgoals unfinished; the results are partial",
            global_timeout,
            len(cut),
            len(self._assignments),
        )
        for assignment in cut:
            error = f"Global timeout after {global_timeout:g}s: not finished"
            output = self._output(assignment, Outcome.UNFINISHED, error=error)
            self._say(assignment, f"Failed: {error}")
            self._finish(assignment, output)

    # One assignment

    async def _start(self, assignment: Assignment) -> AgentOutput:
        """Ask the agent; an exception is its failure."""
        self._emit(SubgoalStarted(assignment.position))
        self._say(assignment, "Starting")
        try:
            result, blocked = await self._ask(assignment)
        except asyncio.CancelledError:
            # Nobody cancelled this worker, so it came from inside: it ends the run all the same.
            worker = asyncio.current_task()
            if worker is not None and not worker.cancelling():
                self._runner.cancel()
            raise
        except Exception as error:
            _log.exception('subgoal "%s" failed in an unexpected way', assignment.name)
            result, blocked = SpawnResult.failed(error), False
        self._say(assignment, outcome_of(result))
        outcome = Outcome.OK
        if not result.success:
            outcome = Outcome.BLOCKED if blocked else Outcome.FAILED
        return self._output(assignment, outcome, error=result.error, result=result)

    async def _ask(self, assignment: Assignment) -> tuple[SpawnResult, bool]:
        """The agent's answer, or the fallback's; and whether an open circuit was in the way."""
        breaker, agent = self._settings.breaker, assignment.agent
        if assignment.is_adhoc:
            breaker.mark_as_adhoc(agent.id)
        permits = Permits(breaker, agent.id, assignment.timeout + _LEASE_MARGIN)
        task = self._task(assignment, permits)
        if not permits.first.granted:
            return await self._blocked(assignment, task, permits.first.reason), True
        if assignment.is_adhoc:
            self._tally.spawned(agent.id)
        result = None
        try:
            result = await spawn_with_retry_and_fallback(task)
        except Exception as error:
            result = SpawnResult.failed(error)
        finally:
            permits.settle(result)
        if not permits.used:
            # Whoever ran the task told of no attempts: its result is all there is.
            self._tally.ended_early(agent.id, result)
        return result, False

    async def _blocked(
        self, assignment: Assignment, task: RecoverableTask, reason: str
    ) -> SpawnResult:
        """The circuit is open: the plain LLM answers instead, where that is wanted."""
        agent_id = assignment.agent.id
        health = self._settings.breaker.get_health_status(agent_id)
        self._tally.blocked(agent_id, assignment.subgoal_index, reason, health)
        error = f"Circuit breaker open: {reason}"
        if not task.can_fall_back:
            return SpawnResult.failed(error)
        self._say(assignment, "Fallback to LLM")
        try:
            answer = await spawn(task.as_fallback())
        except Exception as raised:
            answer = SpawnResult.failed(raised)
        if not answer.success:
            answer = replace(answer, error=f"{error}; fallback to LLM failed: {answer.error}")
        return replace(answer, fallback=True, original_agent=agent_id)

    def _task(self, assignment: Assignment, permits: Permits) -> RecoverableTask:
        agent, settings = assignment.agent, self._settings
        question = build_prompt(
            assignment.description,
            [
                (self._assignments[position].name, self._outputs[position])
                for position in assignment.needs
            ],
            nonce=secrets.token_hex(4),
            background=settings.background,
        )
        patient = PRESETS["patient"]
        command = agent.config.get("command")
        adhoc = assignment.is_adhoc
        return RecoverableTask(
            prompt=f"{_persona(agent)}\n\n{question}" if adhoc else question,
            agent=None if adhoc else agent.id,
            timeout=assignment.timeout,
            tool=agent.config.get("tool") or (None if command else settings.tool),
            model=agent.config.get("model") or settings.model,
            policy=replace(
                patient,
                # The subgoal's own limits win over the preset's.
                timeout=min(patient.timeout, assignment.timeout),
                max_timeout=assignment.timeout,
                retry=replace(patient.retry, attempts=assignment.retries + 1),
            ),
            persona=None if adhoc else str(agent.description or "") or None,
            command=tuple(command) if command else None,
            spawn=lambda attempt: spawn(attempt),  # noqa: PLW0108 - looked up when called
            max_retries=assignment.retries,
            fallback_to_llm=settings.fallback_to_llm,
            fallback_prompt=question,
            gate=permits,
            agent_id=agent.id,
            deadline=self._deadline,
            on_event=lambda event: self._heard(assignment, event),
        )

    def _heard(self, assignment: Assignment, event: Event) -> None:
        if isinstance(event, AttemptFinished):
            self._tally.ended_early(assignment.agent.id, event.result)
        self._emit(SubgoalEvent(assignment.position, event))
        status = status_of(event)
        if status is not None:
            self._say(assignment, status)

    def _say(self, assignment: Assignment, status: str) -> None:
        total = len(self._assignments)
        self._progress(assignment.position + 1, total, assignment.agent.id, status)

    def _output(
        self,
        assignment: Assignment,
        outcome: Outcome,
        *,
        error: str | None = None,
        result: SpawnResult | None = None,
    ) -> AgentOutput:
        return AgentOutput(
            subgoal_index=assignment.subgoal_index,
            agent_id=assignment.agent.id,
            outcome=outcome,
            output=result.output if result else "",
            error=error,
            result=result,
        )


def _persona(agent: Agent) -> str:
    matcher = _get_agent_matcher()
    return plain_persona(agent) if matcher is None else matcher.persona(agent)


async def _end(workers: Sequence[asyncio.Task[None]]) -> None:
    """Cancel what still runs and wait for its end, however often we are cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while running := [worker for worker in workers if not worker.done()]:
        for worker in running:
            worker.cancel()
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
