"""The memo of a run: results in its journal, each acknowledged before anything builds on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from aurora_spawner import FailureType, Journal, SpawnResult, SpawnTask, content_of

__all__ = ["JournalMemo"]


class JournalMemo:
    """See `aurora_soar.phases.Memo`.

    A result that is no success is kept for people and runs again, in its agent's own session if a
    provider's limit ended it.

    Args:
        journal: Where results are kept.
        ids: The subgoals' ids, by position.
        clean: Takes out of words what is not to be kept. What builds on a result gets it so too:
            it has to be the same tomorrow, when it comes from the journal.
        redo: Subgoals that run again although there is a result.
    """

    def __init__(
        self,
        journal: Journal,
        ids: Sequence[str],
        clean: Callable[[str], str] = str,
        redo: Collection[str] = (),
    ) -> None:
        self._journal = journal
        self._ids = ids
        self._clean = clean
        self._redo = redo

    async def __call__(
        self,
        position: int,
        task: SpawnTask,
        more: Mapping[str, str],
        run: Callable[[str | None], Awaitable[SpawnResult]],
    ) -> SpawnResult:
        """The kept result, or what `run` gives.

        Raises:
            JournalError: The journal cannot be read.
        """
        name = self._ids[position]
        content = content_of(task, more)
        known = (await self._journal.recall(name, content)).result
        if known is not None and known.success and name not in self._redo:
            return known
        execution = self._journal.started(name, content)
        result = self._cleaned(await run(_session_of(known)))
        await self._journal.finished(execution, result)
        return result

    def _cleaned(self, result: SpawnResult) -> SpawnResult:
        return replace(
            result,
            output=self._clean(result.output),
            stderr=self._clean(result.stderr),
            error=None if result.error is None else self._clean(result.error),
            warnings=tuple(map(self._clean, result.warnings)),
        )


def _session_of(known: SpawnResult | None) -> str | None:
    """The session to go on with: nothing that was paid for in it is paid again."""
    if known is None or known.success or known.failure_type is not FailureType.RATE_LIMIT:
        return None
    return known.session_id
