"""One assignment, from the turn of its agent to a result: circuits, attempts, other agents.

Whoever is asked, in this order: the agent; the agents that it names as its fallback, one after the
other; the plain LLM. The next one is asked when the one before has failed for good, or when its
circuit is open.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from aurora_soar.admission import Ticket
from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment
from aurora_soar.events import SubgoalEvent, SubgoalStarted
from aurora_soar.phases.attempts import Attempts
from aurora_soar.phases.permits import Permits
from aurora_soar.phases.question import content_of, task_of
from aurora_soar.phases.settings import Services, Settings
from aurora_soar.prompt import Told
from aurora_soar.results import AgentOutput, Outcome
from aurora_spawner import (
    AttemptFinished,
    Event,
    FallbackStarted,
    ProviderLimited,
    RecoverableTask,
    SpawnResult,
    SpawnTask,
    outcome_of,
    status_of,
)

__all__ = ["Asking"]

_log = logging.getLogger("aurora_soar")

# How much longer than an attempt its permit lives, seconds: time to stop a process and say so.
_LEASE_MARGIN = 60.0

_PLAIN = tuple(field.name for field in fields(SpawnTask))


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one agent of the chain gave.

    Attributes:
        result: Its result.
        agent_id: Whose it is.
        blocked: Its circuit was open.
    """

    result: SpawnResult
    agent_id: str
    blocked: bool = False


class _RefusedError(Exception):
    """Nobody was asked, so that there is no result to remember; the message says why."""


class Asking:
    """Asks for one assignment; made for one use.

    Args:
        assignment: What is asked, and whom.
        needs: What became of the subgoals that it depends on.
        priority: Higher is let in first.
        settings: What holds for all.
        services: What all share.

    Attributes:
        seconds: How long agents were at work on it, waits for a turn left out.
    """

    def __init__(
        self,
        assignment: Assignment,
        needs: Sequence[Told],
        priority: float,
        settings: Settings,
        services: Services,
    ) -> None:
        self._assignment = assignment
        self._needs = needs
        self._priority = priority
        self._settings = settings
        self._services = services
        self._nonce = secrets.token_hex(4)
        self.seconds = 0.0
        self._asked = False
        self._blocked = False
        self._answered_by: str | None = None

    async def output(self) -> AgentOutput:
        """What came of it; an exception is a failure."""
        agent = self._assignment.agent
        try:
            task, _ = self._task(agent)
            content = content_of(self._assignment, task, self._needs)
            result = await self._services.memo(self._assignment.position, *content, self._run)
        except _RefusedError as refusal:
            return self._skipped(str(refusal))
        except Exception as error:
            _log.exception('subgoal "%s" failed in an unexpected way', self._assignment.name)
            result = SpawnResult.failed(error)
            self._asked = True
        self._services.say(self._assignment, agent, outcome_of(result))
        outcome = Outcome.OK
        if not result.success:
            outcome = Outcome.BLOCKED if self._blocked else Outcome.FAILED
        return AgentOutput(
            subgoal_index=self._assignment.subgoal_index,
            agent_id=agent.id,
            outcome=outcome,
            output=result.output,
            error=result.error,
            result=result,
            answered_by=self._answered_by,
            kept=not self._asked,
            changes=self._services.places.changes(self._assignment.position),
        )

    def _skipped(self, reason: str) -> AgentOutput:
        assignment = self._assignment
        self._services.say(assignment, assignment.agent, f"Skipped: {reason}")
        return AgentOutput(
            assignment.subgoal_index, assignment.agent.id, Outcome.SKIPPED, error=reason
        )

    async def _run(self, session_id: str | None) -> SpawnResult:
        """Ask the agents of the chain until one has the answer.

        Raises:
            _RefusedError: Not even the first one may start.
        """
        self._asked = True
        if self._assignment.held_back:
            raise _RefusedError(self._assignment.held_back)
        last: _Answer | None = None
        chain = self._chain()
        for agent in chain:
            if last is not None:
                if self._services.admission.halted is not None:
                    break
                reason = last.result.error or "failed"
                self._heard(self._assignment.agent, FallbackStarted(reason, agent.id))
            answer = await self._ask(agent, session_id, is_last=agent is chain[-1])
            if answer is None:
                break
            session_id = None
            if last is None:
                self._blocked = answer.blocked
                last = answer
            else:
                last = _after(last, answer, self._assignment.agent)
            if last.result.success:
                # Not where the plain LLM answered for it.
                other = answer.agent_id != self._assignment.agent.id
                self._answered_by = (
                    answer.agent_id if other and not answer.result.fallback else None
                )
                break
        assert last is not None
        if self._assignment.is_critical and not last.result.success:
            # At once: its place is free already, and the memo takes its time.
            self._services.admission.halt(self._assignment.why_halted)
        return last.result

    def _chain(self) -> list[Agent]:
        """The agent and its fallbacks; one that is not known ends the chain."""
        chain = [self._assignment.agent]
        while (name := chain[-1].config.get("fallback")) is not None:
            agent = self._services.find_agent(str(name))
            if agent is None or any(agent.id == each.id for each in chain):
                break
            chain.append(agent)
        return chain

    async def _ask(self, agent: Agent, session_id: str | None, *, is_last: bool) -> _Answer | None:
        """One agent's answer, in its turn; None if a fallback gets none.

        Raises:
            _RefusedError: The assignment's own agent gets none.
        """
        services, assignment = self._services, self._assignment
        ticket = self._ticket(agent)
        refusal = await ticket.take()
        if refusal is not None:
            if agent is assignment.agent:
                raise _RefusedError(refusal)
            return None
        result = None
        began, waited = ticket.since, ticket.waited
        try:
            if agent is assignment.agent:
                services.emit(SubgoalStarted(assignment.position))
                services.say(assignment, agent, "Starting")
            answer = await self._in_turn(agent, ticket, session_id, is_last=is_last)
            result = answer.result
            return answer
        finally:
            # Whoever ran the task may have taken no turn of its own.
            ticket.give_back(result)
            self.seconds += services.now() - began - (ticket.waited - waited)

    async def _in_turn(
        self, agent: Agent, ticket: Ticket, session_id: str | None, *, is_last: bool
    ) -> _Answer:
        services = self._services
        adhoc = bool(agent.config.get("is_spawn"))
        if adhoc:
            services.breaker.mark_as_adhoc(agent.id)
        permits = Permits(services.breaker, agent.id, self._longest_attempt() + _LEASE_MARGIN)
        task = self._recoverable(agent, ticket, permits, session_id, is_last=is_last)
        if not permits.first.granted:
            answer = await self._without_it(agent, task, permits.first.reason)
            return _Answer(answer, agent.id, blocked=True)
        if adhoc:
            services.tally.spawned(agent.id)
        result = None
        try:
            result = await services.recover(task)
        except Exception as error:
            result = SpawnResult.failed(error)
        finally:
            permits.settle(result)
        if not permits.used:
            # Whoever ran the task told of no attempts: its result is all there is.
            services.tally.ended_early(agent.id, result)
        return _Answer(result, agent.id)

    async def _without_it(self, agent: Agent, task: RecoverableTask, reason: str) -> SpawnResult:
        """The circuit is open: the plain LLM answers instead, where that is wanted."""
        services, assignment = self._services, self._assignment
        health = services.breaker.get_health_status(agent.id)
        services.tally.blocked(agent.id, assignment.subgoal_index, reason, health)
        error = f"Circuit breaker open: {reason}"
        if not task.can_fall_back:
            return SpawnResult.failed(error)
        self._heard(agent, FallbackStarted(error))
        try:
            answer = await task.spawn(task.as_fallback())
        except Exception as raised:
            answer = SpawnResult.failed(raised)
        if not answer.success:
            answer = replace(answer, error=f"{error}; fallback to LLM failed: {answer.error}")
        return replace(answer, fallback=True, original_agent=agent.id)

    # What it takes

    def _longest_attempt(self) -> float:
        """Seconds; the check of an answer may take as long as the answer."""
        return self._assignment.timeout * (2 if self._assignment.check else 1)

    def _ticket(self, agent: Agent) -> Ticket:
        config = agent.config
        tool = config.get("tool") or ("command" if config.get("command") else self._settings.tool)
        return self._services.admission.ticket(
            agent.id, tool or "", at_once=config.get("max_concurrent"), priority=self._priority
        )

    def _task(self, agent: Agent) -> tuple[SpawnTask, str]:
        return task_of(
            self._assignment,
            agent,
            self._settings,
            self._needs,
            persona=self._services.persona,
            nonce=self._nonce,
        )

    def _recoverable(
        self,
        agent: Agent,
        ticket: Ticket,
        permits: Permits,
        session_id: str | None,
        *,
        is_last: bool,
    ) -> RecoverableTask:
        task, question = self._task(agent)
        plain = {name: getattr(task, name) for name in _PLAIN}
        return RecoverableTask(
            **{**plain, "session_id": session_id},
            spawn=Attempts(
                self._services.spawn,
                self._assignment.check,
                self._nonce,
                self._services.places.place(self._assignment.position),
            ),
            max_retries=self._assignment.retries,
            fallback_to_llm=self._settings.fallback_to_llm and is_last,
            fallback_prompt=question,
            gate=permits,
            turn=ticket,
            agent_id=agent.id,
            deadline=self._services.deadline,
            on_event=lambda event: self._heard_of(agent, ticket, event),
        )

    # What is heard

    def _heard_of(self, agent: Agent, ticket: Ticket, event: Event) -> None:
        match event:
            case AttemptFinished(result=result):
                self._services.tally.ended_early(agent.id, result)
            case ProviderLimited(retry_after=retry_after, reason=reason):
                ticket.limited(retry_after, reason)
        self._heard(agent, event)

    def _heard(self, agent: Agent, event: Event) -> None:
        self._services.emit(SubgoalEvent(self._assignment.position, event))
        status = status_of(event)
        if status is not None:
            self._services.say(self._assignment, agent, status)


def _after(before: _Answer, answer: _Answer, first: Agent) -> _Answer:
    """What stands after one more agent of the chain was asked."""
    result = answer.result
    if not result.success:
        error = f"{before.result.error}; fallback to {answer.agent_id} failed: {result.error}"
        result = replace(before.result, error=error)
    return replace(answer, result=replace(result, fallback=True, original_agent=first.id))
