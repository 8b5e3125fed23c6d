"""What runs when: the rounds of a plan, and how long it can take at most; pure."""

from __future__ import annotations

from graphlib import TopologicalSorter

from aurora_soar.plan.model import Plan, PlanSubgoal
from aurora_spawner import PRESETS

__all__ = ["longest_duration", "rounds"]

# What ending an attempt may take on top of its timeout, seconds: grace and a short drain.
_ENDING = 10.0


def rounds(plan: Plan) -> list[list[PlanSubgoal]]:
    """The subgoals by the number of steps that lead to them: the first wait for nothing.

    Each starts as soon as what it depends on is done, and waits for nobody else of its round.
    """
    depths = _along_chains(plan, {subgoal.id: 1.0 for subgoal in plan.subgoals})
    by_depth: dict[float, list[PlanSubgoal]] = {}
    for subgoal in plan.subgoals:
        by_depth.setdefault(depths[subgoal.id], []).append(subgoal)
    return [by_depth[depth] for depth in sorted(by_depth)]


def longest_duration(plan: Plan, *, fallback_to_llm: bool = True) -> float:
    """Seconds that no run of the plan exceeds, if every attempt takes all its time.

    `work / max_concurrent + chain`, where a subgoal's work is all its attempts, the waits between
    them and its fallback, and the chain is the longest one of subgoals that wait for each other.
    That is Graham's bound for list scheduling (1966): as long as nobody idles while something
    could start, no order of starts takes longer.
    """
    work = {subgoal.id: _work(plan, subgoal, fallback_to_llm) for subgoal in plan.subgoals}
    chain = max(_along_chains(plan, work).values(), default=0.0)
    return sum(work.values()) / plan.limits.max_concurrent + chain


def _work(plan: Plan, subgoal: PlanSubgoal, fallback_to_llm: bool) -> float:
    retries = plan.retries(subgoal)
    backoff = PRESETS["patient"].retry
    waits = sum(backoff.delay(retry, 1.0) for retry in range(1, retries + 1))
    attempts = 1 + retries + (1 if fallback_to_llm else 0)
    return attempts * (plan.timeout(subgoal) + _ENDING) + waits


def _along_chains(plan: Plan, weights: dict[str, float]) -> dict[str, float]:
    """For each subgoal the weight of the heaviest chain that ends with it."""
    needs = {subgoal.id: subgoal.depends_on for subgoal in plan.subgoals}
    total: dict[str, float] = {}
    for name in TopologicalSorter(needs).static_order():
        total[name] = weights[name] + max((total[needed] for needed in needs[name]), default=0.0)
    return total
