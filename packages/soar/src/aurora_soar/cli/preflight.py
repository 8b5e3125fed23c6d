"""Before anything starts: who answers for each agent, and is it there?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from aurora_soar.agents import AgentInfo
from aurora_soar.plan import Plan
from aurora_spawner import AGENT_CLIS, TOOLS, find_agent_cli, get_tool, missing_agent_cli

__all__ = ["Answerer", "Which", "answerers", "chosen_tool", "missing", "with_agent_cli"]

Which: TypeAlias = Callable[[str], str | None]
Kind: TypeAlias = Literal["program", "persona", "adhoc"]


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers for an agent.

    Attributes:
        agent: The agent, as collect gets it.
        kind: A program, a registered persona, or an adhoc agent.
        tool: The tool that it goes through; None if there is none.
        executable: The program that starts; empty if there is none.
        path: Where that program is; None if it is not found.
    """

    agent: AgentInfo
    kind: Kind
    tool: str | None
    executable: str
    path: str | None


def chosen_tool(
    tool: str | None,
    environment: Mapping[str, str] = os.environ,
    which: Which = shutil.which,
) -> str | None:
    """The tool of everybody who names none: the command line's, AURORA_SPAWN_TOOL, one on PATH."""
    return tool or environment.get("AURORA_SPAWN_TOOL") or find_agent_cli(which)


def answerers(
    plan: Plan, tool: str | None, chosen: str | None, which: Which = shutil.which
) -> list[Answerer]:
    """Who answers for each subgoal, in the order of the plan.

    Args:
        plan: The plan.
        tool: The tool of the command line, which wins over the agents' own.
        chosen: The tool of those who name none, see `chosen_tool`.
        which: Finds programs.
    """
    registry = plan.registry()
    agents = (registry.resolve(plan.agent_id(subgoal)) for subgoal in plan.subgoals)
    return [_answerer(agent, tool, chosen, which) for agent in agents]


def _answerer(agent: AgentInfo, tool: str | None, chosen: str | None, which: Which) -> Answerer:
    command = agent.config.get("command")
    if command:
        return Answerer(agent, "program", "command", command[0], which(command[0]))
    own = tool or agent.config.get("tool")
    if own:
        agent = replace(agent, config={**agent.config, "tool": own})
    kind: Kind = "adhoc" if agent.is_adhoc else "persona"
    name = own or chosen
    executable = get_tool(name).executable if name else ""
    return Answerer(agent, kind, name, executable, which(executable) if executable else None)


def missing(answerers: Sequence[Answerer]) -> Iterator[str]:
    """A line for each agent CLI that is needed and not there; programs may still be made."""
    without = dict.fromkeys(each.agent.id for each in answerers if each.tool is None)
    if without:
        named = ", ".join(f'"{agent}"' for agent in without)
        yield f"{'agent' if len(without) == 1 else 'agents'} {named}: {missing_agent_cli()}"
    told = set()
    for each in answerers:
        if each.kind == "program" or each.tool is None or each.path or each.agent.id in told:
            continue
        told.add(each.agent.id)
        yield (
            f'agent "{each.agent.id}": "{each.executable}" is not on PATH '
            f"({TOOLS[each.tool].install}); or try without a model: --tool extract"
        )


def with_agent_cli(command: str, which: Which = shutil.which) -> str:
    """How to run the same with a model, for those who have just tried it without.

    Args:
        command: The command line, without a tool.
        which: Finds programs.
    """
    found = find_agent_cli(which)
    if found is not None:
        return f"With a model: {command} --tool {found}"
    looked_for = ", ".join(AGENT_CLIS)
    return f"With a model: {command} (no agent CLI found on PATH; looked for {looked_for})"
