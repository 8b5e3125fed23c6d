"""What a resumed run will keep and what it will run, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aurora_soar.agents import Agent
from aurora_soar.assignments import Assignment
from aurora_soar.phases import Settings, content_of, task_of
from aurora_soar.prompt import Told
from aurora_spawner import Journal, SpawnResult
from aurora_spawner import content_of as digest_of

__all__ = ["Fate", "predict"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What a subgoal has to expect.

    Attributes:
        is_kept: Its result stands, and nothing is paid for it again.
        reason: Why it runs; empty where it is kept.
        has_failed: It ran, and gave no answer.
        cost_usd: What its last attempt cost, as far as it told.
    """

    is_kept: bool
    reason: str = ""
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

    A subgoal whose dependency runs again is kept all the same if the new answer is the old one;
    nobody knows that before.

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
            again = [need for need in each.needs if not fates[need].is_kept]
            if again:
                names = ", ".join(assignments[need].name for need in again)
                fates[each.position] = Fate(is_kept=False, reason=f"after {names}")
                continue
            needs = [Told(assignments[need].name, answers[need]) for need in each.needs]
            task, _ = task_of(each, each.agent, settings, needs, persona=persona, nonce="")
            content = digest_of(*content_of(each, task, needs))
            known = await journal.recall(each.name, content)
            if known.result is not None and known.result.success and each.name not in redo:
                answers[each.position] = known.result.output
                fates[each.position] = Fate(is_kept=True, cost_usd=known.result.cost_usd)
            else:
                result = known.result
                fates[each.position] = Fate(
                    is_kept=False,
                    reason=_reason(result, known.changed, asked=each.name in redo),
                    has_failed=result is not None and not result.success,
                    cost_usd=None if result is None else result.cost_usd,
                )
        waiting = [each for each in waiting if each.position not in fates]
    return [fates[each.position] for each in assignments]


def _reason(result: SpawnResult | None, changed: Sequence[str], *, asked: bool) -> str:
    if asked and (result is None or result.success):
        return "asked for"
    if result is not None:
        return f"failed: {result.error}"
    if changed:
        return f"changed: {', '.join(changed)}"
    return "never finished"
