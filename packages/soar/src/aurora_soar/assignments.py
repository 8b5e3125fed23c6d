"""Which agent gets which subgoal, with every default filled in; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from aurora_soar.agents import Agent
from aurora_soar.graph import resolve_references

__all__ = ["Assignment", "OnDependencyFailure", "assign", "positive_seconds"]

OnDependencyFailure: TypeAlias = Literal["skip", "run", "stop"]
"""What becomes of a subgoal whose dependency failed: skipped, run with the failure told in its
prompt, or skipped with everything else that has not started."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One subgoal with its agent.

    Attributes:
        position: Place among the assignments, from 0.
        subgoal_index: The subgoal's own index.
        name: What the subgoal is called in prompts and messages.
        description: What is to be done.
        agent: Who does it.
        needs: Positions of the assignments that have to be done first.
        on_dependency_failure: What becomes of it when one of those failed.
        is_critical: Its failure stops what has not started.
        timeout: Seconds for one attempt.
        retries: Further attempts after a failed one.
        check: A program that has to succeed for an answer to count; empty for none.
        held_back: Why it does not run unless its result is known already; empty: it runs.
    """

    position: int
    subgoal_index: int
    name: str
    description: str
    agent: Agent
    needs: tuple[int, ...]
    on_dependency_failure: OnDependencyFailure
    is_critical: bool
    timeout: float
    retries: int
    check: tuple[str, ...] = ()
    held_back: str = ""

    @property
    def is_adhoc(self) -> bool:
        """Whether the agent was generated for this run."""
        return bool(self.agent.config.get("is_spawn"))

    @property
    def why_halted(self) -> str:
        """What is told to those that never start because this one failed and is critical."""
        return f'critical subgoal "{self.name}" did not succeed'


def positive_seconds(name: str, value: Any) -> float:
    """Return `value` as seconds.

    Raises:
        ValueError: It is no finite number above 0.
    """
    if not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(value)


def assign(
    agent_assignments: Sequence[tuple[int, Agent]],
    subgoals: Sequence[Mapping[str, Any]],
    *,
    timeout: float,
    retries: int,
) -> list[Assignment]:
    """Bring agents and subgoals together.

    Args:
        agent_assignments: See `execute_agents`.
        subgoals: See `execute_agents`.
        timeout: For subgoals that name none, seconds.
        retries: For subgoals that name none.

    Raises:
        ValueError: A subgoal that is not there, a dependency that is not there, circular, or that
            no agent was given; a timeout, a number of retries or a choice that is none.
    """
    by_index = {
        subgoal.get("subgoal_index", position): subgoal for position, subgoal in enumerate(subgoals)
    }
    for index, _ in agent_assignments:
        if index not in by_index:
            raise ValueError(f"an agent was given subgoal {index!r}, which is not there")
    own = [by_index[index] for index, _ in agent_assignments]
    names = [str(by_index[index].get("id", index)) for index, _ in agent_assignments]
    needs = resolve_references(
        [(name, index) for name, (index, _) in zip(names, agent_assignments, strict=True)],
        [subgoal.get("depends_on") or () for subgoal in own],
    )
    return [
        Assignment(
            position=position,
            subgoal_index=index,
            name=names[position],
            description=str(subgoal.get("description") or subgoal.get("prompt") or ""),
            agent=agent,
            needs=needs[position],
            on_dependency_failure=_choice(subgoal.get("on_dependency_failure", "skip")),
            is_critical=bool(subgoal.get("is_critical")),
            timeout=positive_seconds("timeout", subgoal.get("timeout") or timeout),
            retries=_count(retries if subgoal.get("retries") is None else subgoal["retries"]),
            check=tuple(map(str, subgoal.get("check") or ())),
            held_back=str(subgoal.get("held_back") or ""),
        )
        for position, ((index, agent), subgoal) in enumerate(
            zip(agent_assignments, own, strict=True)
        )
    ]


def _choice(value: Any) -> OnDependencyFailure:
    choices = get_args(OnDependencyFailure)
    if value not in choices:
        raise ValueError(
            f"on_dependency_failure must be one of {', '.join(choices)}, not {value!r}"
        )
    chosen: OnDependencyFailure = value
    return chosen


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"retries must be a whole number of 0 or more, not {value!r}")
    return value
