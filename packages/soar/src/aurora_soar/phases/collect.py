"""Collect: every subgoal to its agent, each as soon as what it depends on is done.

`spawn`, `spawn_with_retry_and_fallback` and `_get_agent_matcher` are looked up in this module
when they are called, so that a test can put others in their place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aurora_circuit_breaker import CircuitBreaker, get_circuit_breaker
from aurora_soar.admission import Admission, Budget, Memory
from aurora_soar.agents import Agent, AgentInfo, AgentRegistry
from aurora_soar.assignments import Assignment, assign, positive_seconds
from aurora_soar.events import OnRunEvent, RunEvent, SubgoalFinished
from aurora_soar.graph import critical_path, heights
from aurora_soar.matching import AgentMatcher, Match, plain_persona
from aurora_soar.phases.asking import Asking
from aurora_soar.phases.circuits import circuits_told
from aurora_soar.phases.settings import (
    KeptAt,
    Memo,
    Run,
    Services,
    Settings,
    always_run,
    kept_nowhere,
)
from aurora_soar.prompt import ANSWER_BUDGET, Told
from aurora_soar.results import AgentOutput, CollectResult, Outcome
from aurora_soar.tally import Tally
from aurora_soar.workplaces import OneForAll, Workplaces
from aurora_spawner import (
    PRESETS,
    OnProgress,
    Permissions,
    Policy,
    Quiet,
    Runner,
    spawn,
    spawn_with_retry_and_fallback,
)

__all__ = ["execute_agents", "matches_for", "persona_of"]

_log = logging.getLogger("aurora_soar")

# Room for one attempt of full length and half of another, so that ten stuck agents do not take
# ten times as long; a fallback after an attempt of full length does not fit.
_GLOBAL_TIMEOUT_FACTOR = 1.5


def _get_agent_matcher() -> AgentMatcher | None:
    """Who finds agents and makes personas; None: nobody is found, and personas are plain."""
    return AgentMatcher()


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
    per_tool: Mapping[str, int] | None = None,
    global_timeout: float | None = None,
    parked_time_counts: bool = True,
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
    breaker: CircuitBreaker | None = None,
    registry: AgentRegistry | None = None,
    on_event: OnRunEvent | None = None,
    tool: str | None = None,
    model: str | None = None,
    permissions: Permissions = "read-only",
    policy: Policy = PRESETS["patient"],
    answer_budget: int = ANSWER_BUDGET,
    kept_at: KeptAt = kept_nowhere,
    memo: Memo = always_run,
    places: Workplaces | None = None,
    runner: Runner | None = None,
    stop: asyncio.Event | None = None,
) -> CollectResult:
    """Run every assignment to its end, as parallel as dependencies and the limits allow.

    Args:
        agent_assignments: Pairs of a subgoal's index and the agent that gets it.
        subgoals: Mappings with `description` or `prompt`; optional: `subgoal_index` (default: its
            position), `id`, `depends_on` (ids or indexes), `on_dependency_failure` (`skip`, `run`
            or `stop`), `is_critical`, `timeout` (seconds), `retries`, `check` (a program and its
            arguments that has to succeed for an answer to count), `held_back` (why it does not
            run unless the memo knows its result).
        context: `context["background"]`, if it is text, stands before every prompt.
        on_progress: `on_progress(idx, total, agent_id, status)`; what it raises is logged once.
        agent_timeout: Seconds for one attempt.
        max_retries: Further attempts of an agent after a failed one.
        fallback_to_llm: Ask the plain LLM where an agent failed or its circuit is open. Agents
            that are programs have no fallback.
        max_concurrent: Agents at once, at least 1.
        per_tool: Agents at once through one tool, by its name.
        global_timeout: Seconds for all; None is `agent_timeout * 1.5`.
        parked_time_counts: Whether the global timeout goes on while a provider's limit has
            parked a tool.
        budget_usd: What all may cost, as far as agents tell; None: anything.
        budget_tokens: What all may read and write together; None: anything.
        breaker: Asked before each attempt; None is the process's own.
        registry: Where the agents are that others name as their `fallback`.
        on_event: Gets every event; what it raises is logged once and ignored.
        tool: For prompts whose agent names no tool.
        model: For prompts whose agent names no model.
        permissions: What agents may do unasked at most; their own settings only narrow it.
        policy: How patient to be; its times and attempts yield to those of the subgoals.
        answer_budget: Characters that the answers of others may take in one prompt.
        kept_at: Where the whole answer of an assignment is kept, by its position.
        memo: Knows results of earlier runs, and keeps those of this one.
        places: Where attempts work; None: all of them where we stand, unless their agent's
            config names a `cwd`.
        runner: Where their processes run; None is this machine.
        stop: Once it is set, nothing new starts; what runs may finish.

    Returns:
        One output per assignment, in their order, also after the global timeout.

    Raises:
        ValueError: `max_concurrent` is below 1, a timeout is no positive number, there are two
            budgets, an assignment or a `depends_on` names no subgoal, or dependencies form a
            circle; nothing was started.
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
    emit: Quiet[[RunEvent]] = Quiet(on_event)
    admission = Admission(
        max_concurrent,
        per_tool=per_tool,
        budget=_budget(budget_usd, budget_tokens, len(assignments)),
        memory=Memory(),
        emit=emit,
    )
    collect = _Collect(
        assignments,
        Settings(
            fallback_to_llm=fallback_to_llm,
            background=background if isinstance(background, str) else "",
            tool=tool,
            model=model,
            permissions=permissions,
            policy=policy,
            answer_budget=answer_budget,
            kept_at=kept_at,
        ),
        admission,
        get_circuit_breaker() if breaker is None else breaker,
        registry or AgentRegistry(),
        memo,
        places or OneForAll(),
        runner=runner,
        on_progress=on_progress,
        emit=emit,
        stop=stop,
        limit=positive_seconds("global_timeout", global_timeout),
        parked_time_counts=parked_time_counts,
    )
    try:
        return await collect.run()
    finally:
        admission.close()


def _budget(usd: float | None, tokens: int | None, shares: int) -> Budget | None:
    if usd is not None and tokens is not None:
        raise ValueError("budget_usd and budget_tokens are two budgets; give one of them")
    if usd is not None:
        return Budget(usd, "USD", shares)
    return None if tokens is None else Budget(tokens, "tokens", shares)


def _spawning(runner: Runner | None) -> Run:
    """How one attempt runs: through this module's own `spawn`, looked up when it is called."""
    if runner is None:
        return lambda task: spawn(task)  # noqa: PLW0108 - see above
    return lambda task: spawn(task, runner=runner)


def persona_of(agent: Agent) -> str:
    """Who an adhoc agent is, in words."""
    matcher = _get_agent_matcher()
    return plain_persona(agent) if matcher is None else matcher.persona(agent)


def matches_for(description: str, agents: Iterable[AgentInfo]) -> Sequence[Match]:
    """The agents that were compared for a subgoal that names none, the best first."""
    matcher = _get_agent_matcher()
    return () if matcher is None else matcher.ranked(description, agents)


class _Collect:
    """One run."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        settings: Settings,
        admission: Admission,
        breaker: CircuitBreaker,
        registry: AgentRegistry,
        memo: Memo,
        places: Workplaces,
        *,
        runner: Runner | None,
        on_progress: OnProgress | None,
        emit: Quiet[[RunEvent]],
        stop: asyncio.Event | None,
        limit: float,
        parked_time_counts: bool,
    ) -> None:
        self._assignments = assignments
        self._settings = settings
        self._admission = admission
        self._breaker = breaker
        self._progress = Quiet(on_progress)
        self._emit = emit
        self._stop = stop
        self._outputs: dict[int, AgentOutput] = {}
        self._done = [asyncio.Event() for _ in assignments]
        self._heights = heights([each.needs for each in assignments])
        self._seconds = [0.0] * len(assignments)
        self._tally = Tally()
        self._limit = limit
        self._parked_time_counts = parked_time_counts
        self._services = Services(
            breaker=breaker,
            admission=admission,
            tally=self._tally,
            find_agent=registry.get,
            persona=persona_of,
            spawn=_spawning(runner),
            recover=lambda task: spawn_with_retry_and_fallback(task),  # noqa: PLW0108 - likewise
            memo=memo,
            places=places,
            deadline=self._deadline,
            now=asyncio.get_running_loop().time,
            emit=emit,
            say=self._say,
        )

    # Scheduling

    async def run(self) -> CollectResult:
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        runner = asyncio.current_task()
        assert runner is not None
        self._runner = runner
        workers = [asyncio.create_task(self._work(each)) for each in self._assignments]
        watching = asyncio.create_task(self._halt_when_stopped())
        agents = {each.agent.id for each in self._assignments}
        try:
            with circuits_told(self._breaker, agents, self._emit):
                await self._until_done_or_due(workers)
        finally:
            await _end([*workers, watching])
        self._note_unfinished()
        outputs = [self._outputs[each.position] for each in self._assignments]
        path = critical_path([each.needs for each in self._assignments], self._seconds)
        return CollectResult(
            agent_outputs=outputs,
            execution_metadata=self._tally.metadata(outputs, loop.time() - self._started),
            fallback_agents=[output.agent_id for output in outputs if output.fallback],
            critical_seconds=sum(self._seconds[position] for position in path),
            budget_reached=self._admission.budget_reached,
        )

    async def _until_done_or_due(self, workers: Sequence[asyncio.Task[None]]) -> None:
        """Wait for all, until the deadline, which may move meanwhile."""
        loop = asyncio.get_running_loop()
        waiting: set[asyncio.Task[None]] = set(workers)
        while waiting and (left := self._deadline() - loop.time()) > 0:
            _, waiting = await asyncio.wait(waiting, timeout=left)

    def _deadline(self) -> float:
        """When the run has had its time, seconds on the loop's clock."""
        parked = 0.0 if self._parked_time_counts else self._admission.parked_seconds
        return self._started + self._limit + parked

    async def _work(self, assignment: Assignment) -> None:
        """One assignment, from waiting for its dependencies to its output."""
        for position in assignment.needs:
            await self._done[position].wait()
        reason = self._broken_dependency(assignment) or self._admission.halted
        if reason is not None:
            output = self._skipped(assignment, reason)
        else:
            output = await self._ask(assignment)
        if assignment.is_critical and not output.success:
            self._admission.halt(assignment.why_halted)
        self._finish(assignment, output)

    async def _ask(self, assignment: Assignment) -> AgentOutput:
        needs = [self._told(position) for position in assignment.needs]
        priority = float(self._heights[assignment.position])
        asking = Asking(assignment, needs, priority, self._settings, self._services)
        try:
            return await asking.output()
        except asyncio.CancelledError:
            # Nobody cancelled this worker, so it came from inside: it ends the run all the same.
            worker = asyncio.current_task()
            if worker is not None and not worker.cancelling():
                self._runner.cancel()
            raise
        finally:
            self._seconds[assignment.position] = asking.seconds

    def _told(self, position: int) -> Told:
        output = self._outputs[position]
        said = output.output if output.success else f"failed: {output.error}"
        kept = self._settings.kept_at(position) if output.success else None
        return Told(self._assignments[position].name, said, kept)

    def _skipped(self, assignment: Assignment, reason: str) -> AgentOutput:
        self._say(assignment, assignment.agent, f"Skipped: {reason}")
        return _without_result(assignment, Outcome.SKIPPED, reason)

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
            self._admission.halt(f'"{assignment.name}" {reason}, which failed')
        return reason

    async def _halt_when_stopped(self) -> None:
        if self._stop is not None:
            await self._stop.wait()
            self._admission.halt("the run was stopped")

    def _finish(self, assignment: Assignment, output: AgentOutput) -> None:
        self._outputs[assignment.position] = output
        if not output.success:
            self._services.places.refuse(assignment.position)
        self._emit(SubgoalFinished(assignment.position, output))
        self._done[assignment.position].set()

    def _note_unfinished(self) -> None:
        """After the global timeout: every assignment without an output gets one that says so."""
        cut = [each for each in self._assignments if each.position not in self._outputs]
        if not cut:
            return
        _log.warning(
            "global timeout after %gs: %d of %d subgoals unfinished; the results are partial",
            self._limit,
            len(cut),
            len(self._assignments),
        )
        for assignment in cut:
            error = f"Global timeout after {self._limit:g}s: not finished"
            output = _without_result(assignment, Outcome.UNFINISHED, error)
            self._say(assignment, assignment.agent, f"Failed: {error}")
            self._finish(assignment, output)

    def _say(self, assignment: Assignment, agent: Agent, status: str) -> None:
        total = len(self._assignments)
        self._progress(assignment.position + 1, total, agent.id, status)


def _without_result(assignment: Assignment, outcome: Outcome, error: str) -> AgentOutput:
    """The output of an assignment that nothing came of."""
    return AgentOutput(assignment.subgoal_index, assignment.agent.id, outcome, error=error)


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
