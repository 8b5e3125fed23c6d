"""The attempts of one task, each in its place and held against the subgoal's check."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from aurora_soar.environment import missing_hint
from aurora_soar.phases.settings import Run
from aurora_soar.workplaces import NoPlaceError, Place, where_we_stand
from aurora_spawner import FailureType, Limits, SpawnResult, SpawnTask, run_process

__all__ = ["Attempts"]

# What an agent is told of a check that it did not pass, characters, from its end.
_TOLD = 4000


class Attempts:
    """Runs the attempts of one task; the next one is told of the check that the last failed.

    Args:
        spawn: Runs one.
        check: The program that has to succeed for an answer to count; empty for none.
        nonce: A fresh word for the fence around the check's own words.
        place: Where each works.
    """

    def __init__(
        self, spawn: Run, check: tuple[str, ...], nonce: str, place: Place = where_we_stand
    ) -> None:
        self._spawn = spawn
        self._check = check
        self._nonce = nonce
        self._place = place
        self._complaint = ""

    async def __call__(self, task: SpawnTask) -> SpawnResult:
        """One attempt."""
        if self._complaint:
            task = replace(task, prompt=f"{task.prompt}\n\n{self._complaint}")
        try:
            async with self._place(task) as placed:
                result = await self._spawn(placed)
                if result.success and self._check:
                    result = await self._checked(placed, result)
        except NoPlaceError as error:
            # Like a check that fails: the agent is not to blame, and its circuit stays as it is.
            failed = SpawnResult.failed(str(error))
            return replace(failed, failure_type=FailureType.CHECK_FAILED)
        return _hinted(task, result)

    async def _checked(self, task: SpawnTask, result: SpawnResult) -> SpawnResult:
        """The result, if the check passes; otherwise a failure that says why."""
        command = shlex.join(self._check)
        ended = await run_process(self._check, cwd=task.cwd, limits=Limits(timeout=task.timeout))
        if ended.start_error is not None:
            reason = ended.start_error.message
        elif ended.stopped is not None:
            reason = ended.stopped.reason
        elif ended.exit_code != 0:
            reason = f"exit {ended.exit_code}"
        else:
            self._complaint = ""
            return result
        said = f"{ended.stdout.text()}{ended.stderr.text()}".rstrip()
        self._complaint = (
            f"Your last answer did not pass its check, `{command}` ({reason}):\n"
            f"--- begin check {self._nonce} ---\n{said[-_TOLD:]}\n--- end check {self._nonce} ---"
        )
        return replace(
            result,
            success=False,
            error=f"check failed: {command} ({reason})",
            failure_type=FailureType.CHECK_FAILED,
            stderr=f"{result.stderr}$ {command}\n{said}\n",
        )


def _hinted(task: SpawnTask, result: SpawnResult) -> SpawnResult:
    """The result, with the way to pass a variable that a failed program may have missed (F69)."""
    if result.success:
        return result
    hint = missing_hint(task.inherit, f"{result.error}\n{result.stderr}", os.environ)
    return result if hint is None else replace(result, error=f"{result.error}; {hint}")
