"""Plan files: read, validated, with every error in one pass."""

from aurora_soar.plan.drawing import GraphForm, draw
from aurora_soar.plan.file import load_plan
from aurora_soar.plan.model import Defaults, Isolation, Limits, Plan, PlanAgent, PlanSubgoal
from aurora_soar.plan.problems import PlanError, Problem, did_you_mean
from aurora_soar.plan.schedule import longest_duration, rounds
from aurora_soar.plan.selection import UnknownSubgoalError, select

__all__ = [
    "Defaults",
    "GraphForm",
    "Isolation",
    "Limits",
    "Plan",
    "PlanAgent",
    "PlanError",
    "PlanSubgoal",
    "Problem",
    "UnknownSubgoalError",
    "did_you_mean",
    "draw",
    "load_plan",
    "longest_duration",
    "rounds",
    "select",
]
