"""What an agent is asked for a subgoal, as a task of the spawner; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment
from aurora_soar.environment import inherited
from aurora_soar.phases.settings import Settings
from aurora_soar.prompt import Told, build_prompt
from aurora_spawner import Permissions, SpawnTask

__all__ = ["content_of", "permissions_of", "result_of", "task_of"]


def task_of(
    assignment: Assignment,
    agent: Agent,
    settings: Settings,
    needs: Sequence[Told],
    *,
    persona: Callable[[Agent], str],
    nonce: str,
) -> tuple[SpawnTask, str]:
    """The task, and the same question without a persona, for the plain LLM.

    Args:
        assignment: The subgoal.
        agent: Who is asked: the assignment's own, or a fallback.
        settings: What holds for all.
        needs: What became of the subgoals that it depends on.
        persona: Who an adhoc agent is, in words.
        nonce: A fresh word that no output can know.
    """
    config = agent.config
    question = build_prompt(
        assignment.description,
        needs,
        nonce=nonce,
        background=settings.background,
        budget=settings.answer_budget,
    )
    command = config.get("command")
    adhoc = bool(config.get("is_spawn"))
    policy = settings.policy
    task = SpawnTask(
        prompt=f"{persona(agent)}\n\n{question}" if adhoc else question,
        agent=None if adhoc else agent.id,
        timeout=assignment.timeout,
        tool=config.get("tool") or (None if command else settings.tool),
        model=config.get("model") or settings.model,
        policy=replace(
            policy,
            # The subgoal's own limits win over the preset's.
            timeout=min(policy.timeout, assignment.timeout),
            max_timeout=assignment.timeout,
            retry=replace(policy.retry, attempts=assignment.retries + 1),
        ),
        cwd=config.get("cwd"),
        persona=None if adhoc else str(agent.description or "") or None,
        command=tuple(command) if command else None,
        inherit=inherited(config),
        permissions=permissions_of(config, settings.permissions),
    )
    return task, question


def permissions_of(config: Mapping[str, Any], most: Permissions) -> Permissions:
    """What an agent may do: what the caller allows, narrowed by its own settings (F71)."""
    own = config.get("permissions", most)
    order = get_args(Permissions)
    narrower: Permissions = min(own, most, key=order.index)
    return narrower


def content_of(
    assignment: Assignment, task: SpawnTask, needs: Sequence[Told]
) -> tuple[SpawnTask, dict[str, str]]:
    """What decides the answer, for a memo: the task with the subgoal's own words, and the rest."""
    more = {}
    if assignment.check:
        more["check"] = "\0".join(assignment.check)
    if assignment.agent.config.get("fallback"):
        more["fallback"] = str(assignment.agent.config["fallback"])
    for each in needs:
        more[result_of(each.name)] = each.text
    # An adhoc agent has no name in its task, but two of them are two.
    return replace(task, prompt=assignment.description, agent=assignment.agent.id), more


def result_of(name: str) -> str:
    """What the answer of another subgoal is called as a part of the content."""
    return f"result of {name}"
