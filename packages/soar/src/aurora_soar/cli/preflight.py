"""Before anything starts: who answers for each agent, and is it there?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from aurora_soar.agents import AgentInfo
from aurora_soar.plan import Plan
from aurora_spawner import AGENT_CLIS, TOOLS, find_agent_cli, missing_agent_cli

__all__ = [
    "Answerer",
    "Which",
    "answerers",
    "chosen_tool",
    "fallbacks",
    "missing",
    "with_agent_cli",
]

Which: TypeAlias = Callable[[str], str | None]
Kind: TypeAlias = Literal["program", "persona", "adhoc"]


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answers for an agent.

    Attributes:
        agent: The agent, as collect gets it.
        kind: A program, a registered persona, or an adhoc agent.
        tool: The tool that it goes through; None if there is none.
        path: Where the program is that starts; None if it is not found.
    """

    agent: AgentInfo
    kind: Kind
    tool: str | None
    path: str | None


def chosen_tool(tool: str | None, which: Which = shutil.which) -> str | None:
    """The tool of everybody who names none: the one of flags and settings, else one on PATH."""
    return tool or find_agent_cli(which)


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


def fallbacks(
    plan: Plan, tool: str | None, chosen: str | None, which: Which = shutil.which
) -> list[Answerer]:
    """Who answers for each agent of the plan that another one names as its fallback."""
    registry = plan.registry()
    named = dict.fromkeys(
        str(agent.config["fallback"]) for agent in registry if "fallback" in agent.config
    )
    return [_answerer(registry.resolve(name), tool, chosen, which) for name in named]


def _answerer(agent: AgentInfo, tool: str | None, chosen: str | None, which: Which) -> Answerer:
    command = agent.config.get("command")
    if command:
        return Answerer(agent, "program", "command", which(command[0]))
    own = tool or agent.config.get("tool")
    if own:
        config = {**agent.config, "tool": own}
        if own != agent.config.get("tool", own):
            # It was chosen for the agent's own tool; to another one its name means nothing.
            config.pop("model", None)
        agent = replace(agent, config=config)
    kind: Kind = "adhoc" if agent.is_adhoc else "persona"
    name = own or chosen
    return Answerer(agent, kind, name, which(TOOLS[name].executable) if name else None)


def missing(answerers: Sequence[Answerer]) -> Iterator[str]:
    """A line for each agent CLI that is needed and not there; programs may still be made."""
    needed: dict[str | None, dict[str, None]] = {}
    for each in answerers:
        if each.kind != "program" and each.path is None:
            needed.setdefault(each.tool, {})[each.agent.id] = None
    for tool, agents in needed.items():
        named = ", ".join(f'"{agent}"' for agent in agents)
        yield f"{'agents' if len(agents) > 1 else 'agent'} {named}: {_not_there(tool)}"


def _not_there(tool: str | None) -> str:
    if tool is None:
        return missing_agent_cli()
    found = TOOLS[tool]
    return (
        f'"{found.executable}" is not on PATH ({found.install}); what is here: '
        "aurora-soar agents --probe; or try without a model: --tool extract"
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
