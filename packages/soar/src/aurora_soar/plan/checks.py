"""What the parts of a plan have to do with each other: references, circles, choices; pure.

The checks read the data before it is known to be well formed, and pass over what is not: so one
misspelt key does not hide the wrong references behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aurora_soar.graph import find_cycle
from aurora_soar.plan.problems import Fault, did_you_mean, label
from aurora_spawner import PROGRAM_TOOLS, TOOLS

__all__ = ["cross_check"]


def cross_check(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Everything wrong between the parts of a plan."""
    agents = {name: agent for name, agent in _table(data, "agents").items() if _is_table(agent)}
    subgoals = {
        position: subgoal
        for position, subgoal in enumerate(_list(data, "subgoals"))
        if _is_table(subgoal)
    }
    yield from _check_limits(_table(data, "limits"))
    yield from _check_agents(agents)
    yield from _check_descriptions(data, subgoals, agents)
    ids: dict[str, int] = {}
    for position, subgoal in subgoals.items():
        name = _text(subgoal, "id")
        if name is None:
            continue
        if ids.setdefault(name, position) != position:
            yield Fault(("subgoals", position, "id"), f'there is another subgoal "{name}"')
    yield from _check_dependencies(subgoals, ids)


def _check_agents(agents: Mapping[str, Mapping[str, Any]]) -> Iterator[Fault]:
    for name, agent in agents.items():
        tool, base = _text(agent, "tool"), _text(agent, "base")
        if not name:
            yield Fault(("agents", name), "an agent needs a name")
        if tool is not None:
            fault = _wrong_tool(tool, has_command="command" in agent)
            if fault:
                yield Fault(("agents", name, "tool"), f'{fault[0]} in agent "{name}"{fault[1]}')
        if base is not None and base not in agents:
            yield Fault(
                ("agents", name, "base"),
                f'agent "{name}" has the base "{base}", which is no agent here.'
                + did_you_mean(base, agents.keys() - {name}),
            )
        fallback = _text(agent, "fallback")
        if fallback is not None and fallback not in agents:
            yield Fault(
                ("agents", name, "fallback"),
                f'agent "{name}" has the fallback "{fallback}", which is no agent here.'
                + did_you_mean(fallback, agents.keys() - {name}),
            )
    for key, what in (("base", "agents form a cycle"), ("fallback", "fallbacks form a cycle")):
        needs = {name: [other] for name, agent in agents.items() if (other := _text(agent, key))}
        for circle in _circles(needs):
            yield Fault(("agents", circle[0], key), f"{what}: {' -> '.join(circle)}")


def _check_limits(limits: Mapping[str, Any]) -> Iterator[Fault]:
    known = [tool for tool in TOOLS if tool != "command"]
    for tool in _table(limits, "per_tool"):
        if tool not in known:
            hint = did_you_mean(tool, known) or f" There are {', '.join(known)}."
            yield Fault(("limits", "per_tool", tool), f'unknown tool "{tool}" in limits.{hint}')


def _wrong_tool(tool: str, *, has_command: bool) -> tuple[str, str] | None:
    """What is wrong with an agent's tool, and the way out."""
    if tool not in TOOLS:
        hint = did_you_mean(tool, TOOLS) or f" There are {', '.join(TOOLS)}."
        return f'unknown tool "{tool}"', f".{hint}"
    if tool in PROGRAM_TOOLS and not has_command:
        return f'"tool" is "{tool}", but there is no "command"', ": name the program and arguments"
    if tool not in PROGRAM_TOOLS and has_command:
        return 'there are both "tool" and "command"', ": a program needs no tool"
    return None


def _check_descriptions(
    data: Mapping[str, Any],
    subgoals: Mapping[int, Mapping[str, Any]],
    agents: Mapping[str, Mapping[str, Any]],
) -> Iterator[Fault]:
    default = _text(_table(data, "defaults"), "agent")
    for position, subgoal in subgoals.items():
        here = "description" in subgoal
        there = "description_file" in subgoal
        called = label(position, subgoal)
        if here and there:
            yield Fault(
                ("subgoals", position, "description_file"),
                f'{called} has both "description" and "description_file": keep one',
            )
        agent = _text(subgoal, "agent") or default or _text(subgoal, "id")
        # A subgoal without an id is told of that, which comes first.
        if not (here or there or agent is None or _is_program(agent, agents)):
            yield Fault(
                ("subgoals", position),
                f'{called} needs a "description": agent "{agent}" is no program',
            )


def _is_program(agent: str, agents: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether an agent is a program, by itself or by a base."""
    seen: set[str] = set()
    name: str | None = agent
    while name is not None and name in agents and name not in seen:
        seen.add(name)
        table = agents[name]
        if "tool" in table or "command" in table:
            return "command" in table
        name = _text(table, "base")
    return False


def _check_dependencies(
    subgoals: Mapping[int, Mapping[str, Any]], ids: Mapping[str, int]
) -> Iterator[Fault]:
    needs: dict[str, list[str]] = {}
    for position, subgoal in subgoals.items():
        name = _text(subgoal, "id")
        for item, needed in enumerate(_list(subgoal, "depends_on")):
            place = ("subgoals", position, "depends_on", item)
            if not isinstance(needed, str):
                continue
            if needed == name:
                yield Fault(place, f'subgoal "{name}" depends on itself')
            elif needed not in ids:
                yield Fault(
                    place,
                    f'{label(position, subgoal)} depends on "{needed}", which is no subgoal.'
                    + did_you_mean(needed, ids.keys() - {name}),
                )
            elif name is not None:
                needs.setdefault(name, []).append(needed)
    for circle in _circles(needs):
        yield Fault(
            ("subgoals", ids[circle[0]], "depends_on"),
            f"subgoals form a cycle: {' -> '.join(circle)}",
        )


def _circles(needs: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Circles, each from the member that the plan has first, until the rest has none.

    The rest is what is left when each circle is broken at its first step: a circle that shares
    members with another one still has to be broken by itself, and is told in the same pass.
    """
    order = {name: position for position, name in enumerate(needs)}
    left = {name: list(needed) for name, needed in needs.items()}
    while circle := find_cycle(left):
        members = circle[:-1]
        first = members.index(min(members, key=order.__getitem__))
        members = members[first:] + members[:first]
        yield [*members, members[0]]
        name, needed = (members * 2)[:2]
        left[name] = [each for each in left[name] if each != needed]


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _text(data: Mapping[str, Any], key: str) -> str | None:
    """A text of some length; None for everything else."""
    value = data.get(key)
    return value if isinstance(value, str) and value else None
