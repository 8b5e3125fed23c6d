"""Runs a drawn scenario through `execute_agents` in virtual time, and writes down what happened.

What stands in for agents, checks and free memory is here; everything else is the product's own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from unittest.mock import patch

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar import (
    AgentInfo,
    AgentRegistry,
    CollectResult,
    RunEvent,
    SubgoalEvent,
    SubgoalFinished,
    SubgoalStarted,
    ToolParked,
    ToolResumed,
    execute_agents,
)
from aurora_soar.admission import Memory
from aurora_soar.admission.memory import PEAKS
from aurora_spawner import (
    FailureType,
    ProcessResult,
    ProviderLimited,
    RecoverableTask,
    RetryScheduled,
    SpawnResult,
    SpawnTask,
)
from aurora_spawner.testing import run_virtual

from .drawing import PLAIN, Scenario

__all__ = ["Attempt", "Entry", "History", "kept_result", "play", "tool_of"]

_MARK = re.compile(r"\[\[(\d+)\]\]")

_SLOWEST_END = 2.0
"""Seconds that an agent takes at most to end once it is cancelled."""

_GB = 10**9


@dataclass(slots=True, eq=False)
class Attempt:
    """One attempt as the world saw it.

    Attributes:
        number: The subgoal.
        agent: Who was asked; with `plain` in whose place the plain LLM was.
        plain: The plain LLM was asked.
        tool: What it went through.
        prompt: What was asked in the end, dependencies included.
        began: When, seconds.
        timeout: How long it may take, seconds.
        ended: When, its check included; None while it runs.
        result: What it gave, its check included; None if it was cut off or raised.
        raised: It raised.
    """

    number: int
    agent: str
    plain: bool
    tool: str
    prompt: str
    began: float
    timeout: float
    ended: float | None = None
    result: SpawnResult | None = None
    raised: bool = False

    def __str__(self) -> str:
        who = f"plain LLM for {self.agent}" if self.plain else self.agent
        return f"s{self.number} by {who} through {self.tool or 'any tool'}"


What = Literal["began", "ended", "notice", "event", "stopped", "cancelled"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened: at `at` seconds, to an attempt, or told as an event."""

    at: float
    what: What
    attempt: Attempt | None = None
    told: RunEvent | ProviderLimited | None = None


@dataclass(slots=True)
class History:
    """A whole run.

    Attributes:
        entries: All that happened, in order.
        result: What came back; None where the run was cancelled.
        circuits: By agent id, the health that the breaker tells at the end.
        ended: When, seconds.
        left: Tasks and timers that were left behind, in words.
    """

    entries: list[Entry] = field(default_factory=list)
    result: CollectResult | None = None
    circuits: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    ended: float = 0.0
    left: list[str] = field(default_factory=list)

    @property
    def attempts(self) -> list[Attempt]:
        """In the order in which they began."""
        return [each.attempt for each in self.entries if each.what == "began" and each.attempt]


def tool_of(scenario: Scenario, agent: AgentInfo) -> str:
    """What an agent goes through."""
    named = agent.config.get("tool") or ("command" if agent.config.get("command") else None)
    return str(named or scenario.options["tool"] or PLAIN)


def kept_result(number: int) -> SpawnResult:
    """What an earlier run has left of a subgoal."""
    return SpawnResult(success=True, output=f"kept {number}", error=None, exit_code=0)


def play(scenario: Scenario) -> History:
    """Run it to its end."""
    saved = random.getstate()
    # The backoff of retries draws from here.
    random.seed(scenario.seed)
    logging.disable()
    try:
        return run_virtual(_World(scenario).run(), seed=scenario.seed)
    finally:
        logging.disable(logging.NOTSET)
        random.setstate(saved)


class _World:
    """Everything around one run."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._history = History()
        self._running: dict[int, Attempt] = {}
        self._begun: dict[tuple[int, str, bool], int] = {}

    async def run(self) -> History:
        scenario, history = self._scenario, self._history
        loop = asyncio.get_running_loop()
        breaker = CircuitBreaker(clock=loop.time, **scenario.circuits)
        stop = asyncio.Event()
        timers = []
        if scenario.stop_at is not None:
            timers.append(loop.call_later(scenario.stop_at, self._stop, stop))
        with (
            patch("aurora_soar.phases.collect.spawn", new=self._spawn),
            patch("aurora_soar.phases.collect.Memory", new=lambda: Memory(self._free)),
            patch("aurora_soar.phases.attempts.run_process", new=self._check),
        ):
            running = asyncio.create_task(
                execute_agents(
                    [(number, scenario.agents[number]) for number in scenario.order],
                    scenario.subgoals,
                    {},
                    self._progress,
                    breaker=breaker,
                    registry=AgentRegistry(scenario.registry),
                    on_event=self._hear,
                    memo=self._remember,
                    stop=stop,
                    **scenario.options,
                )
            )
            if scenario.cancel_at is not None:
                timers.append(loop.call_later(scenario.cancel_at, self._cancel, running))
            await asyncio.wait([running])
        history.ended = loop.time()
        if not running.cancelled():
            history.result = running.result()
        for timer in timers:
            timer.cancel()
        history.circuits = {
            agent.id: dict(breaker.get_health_status(agent.id)) for agent in scenario.registry
        }
        history.left = [repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
        history.left += [
            repr(timer)
            for timer in loop._scheduled  # type: ignore[attr-defined]
            if not timer.cancelled()
        ]
        return history

    def _note(self, what: What, attempt: Attempt | None = None, told: Any = None) -> None:
        self._history.entries.append(Entry(asyncio.get_running_loop().time(), what, attempt, told))

    def _stop(self, stop: asyncio.Event) -> None:
        self._note("stopped")
        stop.set()

    def _cancel(self, running: asyncio.Task[CollectResult]) -> None:
        if running.cancel():
            self._note("cancelled")

    def _progress(self, index: int, total: int, agent_id: str, status: str) -> None:
        if "progress" in self._scenario.deaf:
            raise RuntimeError("nobody listens")

    def _hear(self, event: RunEvent) -> None:
        of_note = isinstance(event, SubgoalStarted | SubgoalFinished | ToolParked | ToolResumed)
        if of_note or (isinstance(event, SubgoalEvent) and isinstance(event.event, RetryScheduled)):
            self._note("event", told=event)
        if "events" in self._scenario.deaf:
            raise RuntimeError("nobody listens")

    async def _remember(
        self,
        position: int,
        task: SpawnTask,
        more: Mapping[str, str],
        run: Callable[[str | None], Awaitable[SpawnResult]],
    ) -> SpawnResult:
        number = self._scenario.order[position]
        return kept_result(number) if number in self._scenario.kept else await run(None)

    def _free(self) -> int | None:
        if self._scenario.gigabytes is None:
            return None
        taken = sum(PEAKS.get(attempt.tool, 0) for attempt in self._running.values())
        return max(0, int(self._scenario.gigabytes * _GB) - taken)

    # Attempts

    async def _spawn(self, task: SpawnTask) -> SpawnResult:
        """An attempt, or the plain LLM's answer."""
        assert isinstance(task, RecoverableTask)
        assert task.fallback_prompt is not None
        assert task.agent_id is not None
        found = _MARK.search(task.fallback_prompt)
        assert found is not None
        number, loop = int(found[1]), asyncio.get_running_loop()
        agent = next(each for each in self._scenario.registry if each.id == task.agent_id)
        attempt = Attempt(
            number,
            agent.id,
            plain=task.agent is None and task.prompt.startswith(task.fallback_prompt),
            tool=tool_of(self._scenario, agent),
            prompt=task.fallback_prompt,
            began=loop.time(),
            timeout=task.timeout,
        )
        which = (number, agent.id, attempt.plain)
        self._begun[which] = turn = self._begun.get(which, 0) + 1
        self._running[number] = attempt
        self._note("began", attempt)
        dice = random.Random(f"{self._scenario.seed} {which} {turn}")
        try:
            result = await self._outcome(attempt, task, dice)
        except BaseException as error:
            attempt.raised = not isinstance(error, asyncio.CancelledError)
            try:
                if not attempt.raised and dice.random() < 0.2:
                    # Slow to end, as processes are that ignore a signal; a second one hurries it.
                    await asyncio.sleep(dice.random() * _SLOWEST_END)
            finally:
                self._end(attempt, None)
            raise
        result = replace(result, execution_time=loop.time() - attempt.began)
        if result.success and "check" in self._scenario.subgoals[number]:
            attempt.result = result
        else:
            self._end(attempt, result)
        return result

    def _end(self, attempt: Attempt, result: SpawnResult | None) -> None:
        attempt.ended = asyncio.get_running_loop().time()
        attempt.result = result
        del self._running[attempt.number]
        self._note("ended", attempt)

    async def _outcome(
        self, attempt: Attempt, task: RecoverableTask, dice: random.Random
    ) -> SpawnResult:
        now = attempt.began
        is_program = attempt.tool == "command"
        for outage in () if is_program else self._scenario.outages.get(attempt.tool, ()):
            if outage.since <= now < outage.until:
                await asyncio.sleep(min(dice.uniform(0.01, 2.0), task.timeout))
                left = outage.until - asyncio.get_running_loop().time()
                wait = left if outage.tells and left > 0 else None
                return self._failed(attempt, dice, FailureType.RATE_LIMIT, wait)
        ways = self._scenario.health[PLAIN if attempt.plain else attempt.agent]
        way = dice.choices(list(ways), list(ways.values()))[0]
        seconds = min(dice.choice((0.0, 10 ** dice.uniform(-2, 1.5))), task.timeout)
        match way:
            case "hang":
                await asyncio.sleep(task.timeout)
                return self._failed(attempt, dice, FailureType.TIMEOUT)
            case "slow":
                await asyncio.sleep(task.timeout * dice.uniform(0.3, 1.0))
            case "raise":
                await asyncio.sleep(seconds)
                raise RuntimeError("broke")
            case "crash" | "inference" | "connection" | "auth":
                await asyncio.sleep(seconds)
                return self._failed(attempt, dice, FailureType(way))
            case "stalled":
                await asyncio.sleep(seconds)
                failed = self._failed(attempt, dice, FailureType.ERROR_PATTERN)
                after = round(seconds / 2, 3)
                return replace(failed, termination_reason="API error", detection_time=after)
            case "limit" if not is_program:
                await asyncio.sleep(seconds)
                wait = dice.choice((None, 3.0, 30.0))
                return self._failed(attempt, dice, FailureType.RATE_LIMIT, wait)
            case "limit_text":
                await asyncio.sleep(seconds)
                return SpawnResult(False, "", "API Error: 429 rate limit", 1)
            case "notice" if not is_program:
                await asyncio.sleep(seconds / 2)
                notice = ProviderLimited(attempt.tool, dice.choice((None, 8.0)), True, "429")
                # It is heard at once, and what it changes comes after it in the history.
                self._note("notice", attempt, notice)
                if task.on_event is not None:
                    task.on_event(notice)
                await asyncio.sleep(seconds / 2)
            case _:
                await asyncio.sleep(seconds)
        return SpawnResult(
            success=True,
            output=f"answer {attempt.number}.{len(self._history.entries)}",
            error=None,
            exit_code=0,
            tool=attempt.tool,
            **_cost(dice),
        )

    def _failed(
        self,
        attempt: Attempt,
        dice: random.Random,
        failure_type: FailureType,
        retry_after: float | None = None,
    ) -> SpawnResult:
        return SpawnResult(
            success=False,
            output="",
            error=f"{failure_type} of {attempt.number}",
            exit_code=1,
            failure_type=failure_type,
            tool=attempt.tool,
            retry_after=retry_after,
            session_id=f"ses-{attempt.number}" if dice.random() < 0.3 else None,
            **_cost(dice),
        )

    async def _check(self, command: tuple[str, ...], **rest: Any) -> ProcessResult:
        """The check of a subgoal; it belongs to the attempt."""
        number = int(command[1])
        attempt = self._running[number]
        dice = random.Random(f"{self._scenario.seed} check {number} {attempt.began}")
        longest = rest["limits"].timeout
        try:
            await asyncio.sleep(min(longest, dice.choice((0.0, 0.5, longest))))
        except BaseException:
            self._end(attempt, None)
            raise
        passed = dice.random() < self._scenario.checks[number]
        assert attempt.result is not None
        self._end(
            attempt,
            attempt.result
            if passed
            else replace(
                attempt.result,
                success=False,
                error="check failed",
                failure_type=FailureType.CHECK_FAILED,
            ),
        )
        return ProcessResult(exit_code=0 if passed else 1, stdout=_Said(), stderr=_Said())


class _Said:
    """What a check printed."""

    def text(self) -> str:
        return "as expected, or not"


def _cost(dice: random.Random) -> dict[str, Any]:
    """What an attempt took; some do not tell."""
    if dice.random() < 0.2:
        return {}
    return {
        "cost_usd": dice.uniform(0.0, 0.4),
        "tokens_in": dice.randint(0, 2000),
        "tokens_out": dice.choice((None, dice.randint(0, 500))),
    }
