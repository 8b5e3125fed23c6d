"""The phases of a run."""

from aurora_soar.phases.choosing import Choice, choose_agent, choose_agents
from aurora_soar.phases.collect import execute_agents, persona_of
from aurora_soar.phases.question import content_of, permissions_of, result_of, task_of
from aurora_soar.phases.settings import Memo, Settings

__all__ = [
    "Choice",
    "Memo",
    "Settings",
    "choose_agent",
    "choose_agents",
    "content_of",
    "execute_agents",
    "permissions_of",
    "persona_of",
    "result_of",
    "task_of",
]
