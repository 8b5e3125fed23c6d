"""What a resumed run will keep and what it will run, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment
from aurora_soar.phases import Settings, content_of, result_of, task_of
from aurora_soar.prompt import Told
from aurora_spawner import Journal, Recalled
from aurora_spawner import content_of as digest_of

__all__ = ["Fate", "predict"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What a subgoal has to expect.

    Attributes:
        is_kept: Its result stands, and nothing is paid for it again.
        reason: Why it runs; empty where it is kept.
        is_open: Its result stands if those that it builds on, which run again, answer as before.
        has_failed: It ran, and gave no answer.
        cost_usd: What its last attempt cost, as far as it told.
    """

    is_kept: bool
    reason: str = ""
    is_open: bool = False
    has_failed: bool = False
    cost_usd: float | None = None


async def predict(
    assignments: Sequence[Assignment],
    settings: Settings,
    journal: Journal,
    persona: Callable[[Agent], str],
    redo: Collection[str] = (),
) -> list[Fate]:
    """The fate of each assignment, in their order.

    Raises:
        JournalError: The journal cannot be read.
    """
    fates: dict[int, Fate] = {}
    answers: dict[int, str] = {}
    # Whatever an assignment needs comes before it, at the latest after as many rounds.
    waiting = list(assignments)
    while waiting:
        ready = [each for each in waiting if all(need in fates for need in each.needs)]
        for each in ready:
            unsure = [assignments[need].name for need in each.needs if not fates[need].is_kept]
            # An answer that nobody knows yet is none that was ever given.
            needs = [Told(assignments[need].name, answers.get(need, "")) for need in each.needs]
            task, _ = task_of(each, each.agent, settings, needs, persona=persona, nonce="")
            content = digest_of(*content_of(each, task, needs))
            known = await journal.recall(each.name, content)
            fate = _fate(known, unsure, asked=each.name in redo)
            if fate.is_kept and known.result is not None:
                answers[each.position] = known.result.output
            fates[each.position] = fate
        waiting = [each for each in waiting if each.position not in fates]
    return [fates[each.position] for each in assignments]


def _fate(known: Recalled, unsure: Sequence[str], *, asked: bool) -> Fate:
    """What the journal's knowledge means for a subgoal.

    Args:
        known: What the journal knows of it.
        unsure: The subgoals that it needs and that run again.
        asked: Somebody wants it to run again.
    """
    result = known.result or known.before
    succeeded = result is not None and result.success
    fate = Fate(
        is_kept=False,
        has_failed=result is not None and not succeeded,
        cost_usd=None if result is None else result.cost_usd,
    )
    others = [part for part in known.changed if part not in map(result_of, unsure)]
    if asked and (succeeded or not fate.has_failed):
        return replace(fate, reason="asked for")
    if unsure and succeeded and not others:
        return replace(fate, is_open=True, reason=f"if the answer of {', '.join(unsure)} changes")
    if unsure:
        return replace(fate, reason=f"after {', '.join(unsure)}")
    if known.result is not None and succeeded:
        return replace(fate, is_kept=True)
    if known.changed:
        return replace(fate, reason=f"changed: {', '.join(known.changed)}")
    if result is not None:
        return replace(fate, reason=f"failed: {result.error}")
    return replace(fate, reason="never finished")
