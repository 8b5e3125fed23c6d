"""Run a plan of agents: dependencies, retries, fallback, truthful ordered results."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aurora_soar.agents import Agent, AgentInfo, AgentRegistry
    from aurora_soar.events import (
        BudgetWarned,
        CircuitChanged,
        OnRunEvent,
        RunEvent,
        SubgoalEvent,
        SubgoalFinished,
        SubgoalStarted,
        ToolParked,
        ToolResumed,
    )
    from aurora_soar.matching import AgentMatcher, Match
    from aurora_soar.phases import choose_agents, execute_agents
    from aurora_soar.results import AgentOutput, CollectResult, Outcome
else:
    from aurora_soar.face import __dir__, __getattr__  # noqa: F401 - Python asks the module for them

__all__ = [
    "Agent",
    "AgentInfo",
    "AgentMatcher",
    "AgentOutput",
    "AgentRegistry",
    "BudgetWarned",
    "CircuitChanged",
    "CollectResult",
    "Match",
    "OnRunEvent",
    "Outcome",
    "RunEvent",
    "SubgoalEvent",
    "SubgoalFinished",
    "SubgoalStarted",
    "ToolParked",
    "ToolResumed",
    "choose_agents",
    "execute_agents",
]
