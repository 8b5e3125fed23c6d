"""The phases of a run."""

from aurora_soar.phases.collect import execute_agents

__all__ = ["execute_agents"]
