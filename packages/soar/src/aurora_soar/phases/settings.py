"""What holds for every assignment of a run; see `execute_agents`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar.admission import Admission
from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment
from aurora_soar.events import RunEvent
from aurora_soar.prompt import ANSWER_BUDGET
from aurora_soar.tally import Tally
from aurora_soar.workplaces import Workplaces
from aurora_spawner import PRESETS, Permissions, Policy, RecoverableTask, SpawnResult, SpawnTask

__all__ = ["KeptAt", "Memo", "Run", "Services", "Settings", "always_run", "kept_nowhere"]


class Memo(Protocol):
    """Remembers results from one run to the next: a journal is behind it."""

    async def __call__(
        self,
        position: int,
        task: SpawnTask,
        more: Mapping[str, str],
        run: Callable[[str | None], Awaitable[SpawnResult]],
    ) -> SpawnResult:
        """The result that is kept for this content, or what `run` gives, then kept.

        Args:
            position: The assignment.
            task: What decides the answer: its prompt is the subgoal's own.
            more: What else does, by name: check, fallbacks, results of dependencies.
            run: Runs it, in the agent's session of that id if one is given. What it raises is no
                result, and nothing to remember.
        """


async def always_run(
    position: int,
    task: SpawnTask,
    more: Mapping[str, str],
    run: Callable[[str | None], Awaitable[SpawnResult]],
) -> SpawnResult:
    """The memo of those who keep nothing."""
    return await run(None)


KeptAt: TypeAlias = Callable[[int], str | None]
"""A file that holds the whole answer of the assignment at a position; None if there is none."""


def kept_nowhere(position: int) -> str | None:
    """There is no such file."""
    return None


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of whoever called; see `execute_agents`."""

    fallback_to_llm: bool = True
    background: str = ""
    tool: str | None = None
    model: str | None = None
    permissions: Permissions = "read-only"
    policy: Policy = PRESETS["patient"]
    answer_budget: int = ANSWER_BUDGET
    kept_at: KeptAt = kept_nowhere


Run: TypeAlias = Callable[[SpawnTask], Awaitable[SpawnResult]]


@dataclass(frozen=True, slots=True)
class Services:
    """What every assignment of a run shares.

    Attributes:
        breaker: Asked before each attempt.
        admission: Waited for before each attempt.
        tally: Counts what happens.
        find_agent: The agent of an id, for fallbacks; None if there is none.
        persona: Who an adhoc agent is, in words.
        spawn: Runs one attempt; `collect`'s own, looked up when it is called.
        recover: Runs a task with retries and fallback; likewise.
        memo: Remembers results.
        places: Where attempts work.
        deadline: When no retry starts any more, seconds on the loop's clock.
        now: Seconds on that clock.
        emit: Gets events.
        say: Tells an agent's status.
    """

    breaker: CircuitBreaker
    admission: Admission
    tally: Tally
    find_agent: Callable[[str], Agent | None]
    persona: Callable[[Agent], str]
    spawn: Run
    recover: Callable[[RecoverableTask], Awaitable[SpawnResult]]
    memo: Memo
    places: Workplaces
    deadline: Callable[[], float]
    now: Callable[[], float]
    emit: Callable[[RunEvent], None]
    say: Callable[[Assignment, Agent, str], None]
