"""Attempts: retry with backoff, fallback to the plain LLM, a gate before each, a deadline.

The rules:

- A turn, where the task has one, is taken before each attempt, the fallback too, and given back
  after it: nobody holds one while it waits for a retry. If it is refused, the last result stands.

- A gate is asked before each attempt of the agent and told its outcome once: success, failure
  with its type, or nothing when the attempt was cut by a cancellation. The fallback is neither
  asked nor told.
- A refusal ends the retries and keeps the last error.
- What the same call would meet again at once (`PERMANENT`) is not retried, and no retry starts
  at or after the deadline.
- Who has a turn waits for a provider's limit to pass, and does so at no cost: an attempt that ended
  on one is repeated, `LIMITED_ATTEMPTS` times at most, without using up a retry.
- An attempt that worked and was cut off by its provider's limit goes on in the tool's own session,
  with `GO_ON` for a prompt: what it did is paid once. A session is known only where there is work
  in it (`SpawnResult.session_id`); after any other failure the next attempt begins anew.
- The fallback is asked once, after the last attempt failed. If it fails too, the agent's result
  stands. A program (`command`) has none: a model cannot stand in for a test run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from aurora_spawner.callbacks import Quiet
from aurora_spawner.errors import SpawnError
from aurora_spawner.events import (
    AttemptFinished,
    AttemptStarted,
    Event,
    FallbackStarted,
    OnEvent,
    RetryScheduled,
)
from aurora_spawner.failures import PERMANENT, FailureType, classify
from aurora_spawner.models import SpawnResult, SpawnTask
from aurora_spawner.policy import named_policy

__all__ = ["GO_ON", "Gate", "Permit", "RecoverableTask", "Turn", "failure_type_of", "recover"]

GO_ON = "Go on with your task where you stopped."
"""What an agent is asked whose session goes on; it knows the rest from there."""

# How much longer than the attempt a permit lives, seconds: time to stop the process and say so.
_LEASE_MARGIN = 60.0

LIMITED_ATTEMPTS = 8
"""Attempts of one task that may end on a provider's limit for free: waits that double from 15
seconds up to five minutes are 25 minutes then, and a limit that tells its end takes one of them."""


class Permit(Protocol):
    """A gate's answer; a granted one is settled exactly once."""

    @property
    def granted(self) -> bool:
        """Whether the attempt may start."""

    @property
    def reason(self) -> str:
        """Why not; for people."""

    def success(self) -> None:
        """The attempt succeeded."""

    def failure(self, failure_type: str | None = None) -> None:
        """The attempt failed."""

    def release(self) -> None:
        """The attempt says nothing about the agent."""


class Gate(Protocol):
    """Decides whether an agent may run; a circuit breaker is one."""

    def admit(self, agent_id: str, lease: float) -> Permit:
        """Ask for one attempt that takes at most `lease` seconds."""


class Turn(Protocol):
    """Says when an attempt may start; one for each task, held for one attempt at a time."""

    async def take(self) -> str | None:
        """Wait until an attempt may start; the reason if none may any more. Held: at once."""

    def give_back(self, result: SpawnResult | None) -> None:
        """The attempt has ended; None: nothing came of it. Not held: nothing happens."""


@runtime_checkable
class _ForesightedGate(Gate, Protocol):
    """A gate that also says beforehand what it would do, which saves a wait in vain."""

    def should_skip(self, agent_id: str) -> tuple[bool, str]:
        """Whether an attempt would be refused now, and why; only asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverableTask(SpawnTask):
    """A task that brings along how it is to be recovered.

    Attributes:
        spawn: Runs one attempt.
        max_retries: Further attempts after a failed one; a policy that the task names bounds
            the attempts as well.
        fallback_to_llm: Ask the plain LLM when the agent has failed.
        fallback_prompt: What it is asked; None: the task's own prompt.
        gate: Asked before each attempt.
        turn: Waited for before each attempt; None: each starts at once.
        agent_id: Who the task is for, to the gate and to people; None: `agent`. An adhoc agent
            has a name, but no persona that a tool would know.
        deadline: Time on the event loop's clock, seconds, at which no retry starts any more; or
            who tells it, where it can move.
        on_event: Gets every event of every attempt; what it raises is logged once and ignored.
    """

    spawn: Callable[[SpawnTask], Awaitable[SpawnResult]]
    max_retries: int = 2
    fallback_to_llm: bool = True
    fallback_prompt: str | None = None
    gate: Gate | None = None
    turn: Turn | None = None
    agent_id: str | None = None
    deadline: float | Callable[[], float] | None = None
    on_event: OnEvent | None = None

    @property
    def known_as(self) -> str | None:
        """The agent's name to the gate and to people."""
        return self.agent_id or self.agent

    @property
    def can_fall_back(self) -> bool:
        """Whether the plain LLM is asked when the agent has failed.

        A program is no model that another one could stand in for; and without an agent or other
        words the same question would only be put again.
        """
        other = self.agent is not None or self.fallback_prompt is not None
        is_program = self.command is not None and self.tool in (None, "command")
        return self.fallback_to_llm and other and not is_program

    def as_fallback(self) -> RecoverableTask:
        """The same question to the plain LLM."""
        prompt = self.prompt if self.fallback_prompt is None else self.fallback_prompt
        return replace(self, prompt=prompt, agent=None, persona=None, session_id=None)


def failure_type_of(result: SpawnResult) -> FailureType | None:
    """The kind of a failed result, told from its texts where it does not say; None on success."""
    if result.success:
        return None
    said = f"{result.termination_reason or ''}\n{result.error or ''}"
    return result.failure_type or classify(said, exit_code=result.exit_code)


async def recover(
    task: RecoverableTask, *, draw: Callable[[], float] = random.random
) -> SpawnResult:
    """Run a task with everything that it brings along for its recovery.

    Args:
        task: The task.
        draw: Randomness of the backoff, from [0, 1).

    Raises:
        SpawnError: The task cannot be run as it stands.
    """
    return await _Recovery(task, draw).run()


class _Recovery:
    """One task on its way through its attempts."""

    def __init__(self, task: RecoverableTask, draw: Callable[[], float]) -> None:
        policy = named_policy(task.policy)
        self._draw = draw
        self._backoff = policy.retry
        self._gate = task.gate if policy.use_breaker else None
        self._emit: Quiet[[Event]] = Quiet(task.on_event)
        self._task = replace(task, on_event=self._emit if self._emit else None)
        named = policy.retry.attempts if task.policy is not None else task.max_retries + 1
        self._attempts = max(1, min(task.max_retries + 1, named))
        self._for_free = LIMITED_ATTEMPTS

    async def run(self) -> SpawnResult:
        result, retries = await self._agent()
        if not result.success and self._task.can_fall_back and await self._refusal() is None:
            result = await self._fallback(result)
        return replace(result, retry_count=retries)

    async def _fallback(self, result: SpawnResult) -> SpawnResult:
        """The plain LLM's answer in the place of the agent's last result."""
        self._emit(FallbackStarted(result.error or "failed"))
        answer = await self._in_turn(self._task.as_fallback())
        if not answer.success:
            error = f"{result.error}; fallback to LLM failed: {answer.error}"
            answer = replace(result, error=error)
        return replace(answer, fallback=True, original_agent=self._task.known_as)

    async def _agent(self) -> tuple[SpawnResult, int]:
        """The agent's own attempts: the last result, and how many came before it."""
        result: SpawnResult | None = None
        task = self._task
        attempt = 0
        while True:
            attempt += 1
            refusal = await self._refusal()
            permit = self._ask() if refusal is None else None
            if permit is not None and not permit.granted:
                refusal = f"Circuit breaker open: {permit.reason}"
                self._give_back(None)
            if refusal is not None:
                return result or SpawnResult.failed(refusal), max(attempt - 2, 0)
            result = await self._admitted(attempt, permit, task)
            if result.success or not self._may_repeat(result, attempt):
                return result, attempt - 1
            # What the provider asks for is obeyed, whatever the backoff would have been.
            delay = max(self._backoff.delay(attempt, self._draw()), result.retry_after or 0.0)
            if not self._worth_retrying(result, delay):
                return result, attempt - 1
            reason = result.error or "failed"
            self._emit(RetryScheduled(attempt, self._attempts - 1, delay, reason))
            await asyncio.sleep(delay)
            task = self._next(result)

    def _may_repeat(self, result: SpawnResult, attempt: int) -> bool:
        """Whether there is another attempt; one that a provider's limit cut is made up for."""
        limited = result.failure_type is FailureType.RATE_LIMIT
        if self._task.turn is not None and limited and self._for_free:
            self._for_free -= 1
            self._attempts += 1
        return attempt < self._attempts

    def _next(self, result: SpawnResult) -> RecoverableTask:
        """What is asked after a failed attempt."""
        limited = failure_type_of(result) is FailureType.RATE_LIMIT
        if not limited or result.session_id is None:
            return self._task
        return replace(self._task, prompt=GO_ON, persona=None, session_id=result.session_id)

    def _worth_retrying(self, result: SpawnResult, delay: float) -> bool:
        if failure_type_of(result) in PERMANENT or self._foresees_refusal():
            return False
        deadline = self._task.deadline
        if deadline is None:
            return True
        return asyncio.get_running_loop().time() + delay < (
            deadline() if callable(deadline) else deadline
        )

    async def _admitted(
        self, attempt: int, permit: Permit | None, task: RecoverableTask
    ) -> SpawnResult:
        """One attempt that may start; the permit is settled whatever happens."""
        self._emit(AttemptStarted(attempt, self._attempts))
        try:
            result = await self._in_turn(task)
        except BaseException:
            if permit is not None:
                permit.release()
            raise
        if permit is not None:
            failure_type = failure_type_of(result)
            if failure_type is None:
                permit.success()
            else:
                permit.failure(failure_type)
        self._emit(AttemptFinished(attempt, self._attempts, result))
        return result

    async def _refusal(self) -> str | None:
        """Wait for the turn; why there is none any more."""
        return None if self._task.turn is None else await self._task.turn.take()

    def _give_back(self, result: SpawnResult | None) -> None:
        if self._task.turn is not None:
            self._task.turn.give_back(result)

    async def _in_turn(self, task: SpawnTask) -> SpawnResult:
        """One attempt; the turn is given back whatever happens."""
        result = None
        try:
            result = await self._attempt(task)
        finally:
            self._give_back(result)
        return result

    def _ask(self) -> Permit | None:
        name = self._task.known_as
        if self._gate is None or name is None:
            return None
        return self._gate.admit(name, self._task.timeout + _LEASE_MARGIN)

    def _foresees_refusal(self) -> bool:
        name = self._task.known_as
        if not isinstance(self._gate, _ForesightedGate) or name is None:
            return False
        refuses, _ = self._gate.should_skip(name)
        return refuses

    async def _attempt(self, task: SpawnTask) -> SpawnResult:
        try:
            return await self._task.spawn(task)
        except SpawnError:
            # Misuse would be misuse again.
            raise
        except Exception as error:
            return SpawnResult.failed(error)
