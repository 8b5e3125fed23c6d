"""Part of a plan: some subgoals with all that they need, or all without some; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from aurora_soar.plan.model import Plan
from aurora_soar.plan.problems import did_you_mean

__all__ = ["UnknownSubgoalError", "select"]


class UnknownSubgoalError(ValueError):
    """A name that no subgoal of the plan has."""


def select(plan: Plan, *, only: Collection[str] = (), skip: Collection[str] = ()) -> Plan:
    """The plan with the subgoals that are wanted.

    Args:
        plan: The whole plan.
        only: These and whatever they need, and whatever that needs; empty for all.
        skip: Not these, nor what cannot run without them: whatever needs one of them, unless it
            runs also where one has failed.

    Raises:
        UnknownSubgoalError: One of the names is no subgoal.
    """
    known = [subgoal.id for subgoal in plan.subgoals]
    for name in (*only, *skip):
        if name not in known:
            raise UnknownSubgoalError(f'no subgoal is called "{name}".{did_you_mean(name, known)}')
    needs = {subgoal.id: subgoal.depends_on for subgoal in plan.subgoals}
    wanted = _closure(only, needs) if only else set(known)
    hurt = {
        subgoal.id: [] if subgoal.on_dependency_failure == "run" else list(subgoal.depends_on)
        for subgoal in plan.subgoals
    }
    wanted -= _closure(skip, _turned(hurt))
    subgoals = tuple(
        subgoal.model_copy(
            update={"depends_on": tuple(need for need in subgoal.depends_on if need in wanted)}
        )
        for subgoal in plan.subgoals
        if subgoal.id in wanted
    )
    return plan.model_copy(update={"subgoals": subgoals})


def _closure(names: Iterable[str], leads_to: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += leads_to.get(name, ())
    return found


def _turned(needs: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {}
    for name, needed in needs.items():
        for each in needed:
            turned.setdefault(each, []).append(name)
    return turned
