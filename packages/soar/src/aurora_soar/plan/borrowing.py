"""Agents that a plan names without writing them: those that the user has elsewhere; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aurora_soar.agents import AgentInfo
from aurora_soar.plan.lines import KeyPath
from aurora_soar.plan.problems import Fault

__all__ = ["borrow", "with_borrowed"]


def borrow(
    data: Mapping[str, Any], known: Mapping[str, AgentInfo], refused: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[Fault]]:
    """The agents that a plan names and has not; what it has itself wins.

    Args:
        data: The plan's data, well formed or not.
        known: The agents that there are elsewhere, by name.
        refused: Those that cannot be used, each with what is to be said after its name.

    Returns:
        Their tables by name, and a fault for each agent that is named and refused.
    """
    own = data.get("agents", {})
    if not isinstance(own, Mapping):
        return {}, []
    faults: dict[str, Fault] = {}
    borrowed: dict[str, dict[str, Any]] = {}
    for path, name in _named(data, own):
        if name in own:
            continue
        if name in refused:
            faults.setdefault(name, Fault(path, f'agent "{name}" {refused[name]}'))
            # So that nobody is told that there is no such agent, too.
            borrowed[name] = {}
        elif name in known:
            agent = known[name]
            borrowed[name] = {"description": str(agent.description), **agent.config}
    return borrowed, list(faults.values())


def with_borrowed(
    data: Mapping[str, Any], borrowed: Mapping[str, dict[str, Any]]
) -> Mapping[str, Any]:
    """The plan's data with these agents among its own."""
    return {**data, "agents": {**data.get("agents", {}), **borrowed}} if borrowed else data


def _named(data: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Every agent that is named, and where."""
    defaults, subgoals = data.get("defaults"), data.get("subgoals")
    default = defaults.get("agent") if isinstance(defaults, Mapping) else None
    places: list[tuple[KeyPath, object]] = [(("defaults", "agent"), default)]
    for position, subgoal in enumerate(subgoals if isinstance(subgoals, list) else ()):
        if isinstance(subgoal, Mapping):
            key = "agent" if subgoal.get("agent") or default else "id"
            places.append((("subgoals", position, key), subgoal.get(key)))
    for name, agent in own.items():
        if isinstance(agent, Mapping):
            places += [(("agents", name, key), agent.get(key)) for key in ("base", "fallback")]
    yield from ((path, name) for path, name in places if isinstance(name, str) and name)
