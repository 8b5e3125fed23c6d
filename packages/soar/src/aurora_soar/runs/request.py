"""What a run was asked for: written when it begins, read by whoever resumes or shows it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from aurora_soar.plan import Isolation, did_you_mean
from aurora_soar.runs.folder import RunFolder, run_ids
from aurora_spawner import Permissions

__all__ = ["NoSuchRunError", "RunRequest", "find_run"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The plan and the flags of a run.

    Attributes:
        plan_file: The plan file; absolute, so that it is found from anywhere.
        jobs: As on the command line, like all that follow; None where nothing was said.
        retries: Further attempts of every subgoal.
        timeout: Seconds for every attempt.
        tool: Who answers for every agent that is no program.
        model: The model, told to the tool.
        no_fallback: The plain LLM is not asked.
        permissions: What agents may do unasked at most.
        budget_usd: What all may cost.
        isolation: Where agents that may write work.
        runner: Where agents run.
        scheduler: That of the cluster; None: there is none, or it is made for the run.
        trust_network: It may be talked to without encryption.
        shared_circuits: Whether what is learned of failing agents holds for other runs.
        fail_fast: Nothing new starts once something has failed.
        only: The subgoals that were asked for; empty for all.
        skip: Those that were not.
    """

    plan_file: str
    jobs: int | None = None
    retries: int | None = None
    timeout: float | None = None
    tool: str | None = None
    model: str | None = None
    no_fallback: bool = False
    permissions: Permissions = "read-only"
    budget_usd: float | None = None
    isolation: Isolation | None = None
    runner: Literal["local", "dask"] = "local"
    scheduler: str | None = None
    trust_network: bool = False
    shared_circuits: bool = True
    fail_fast: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def adjusted(
        self,
        *,
        jobs: int | None,
        retries: int | None,
        timeout: float | None,
        tool: str | None,
        budget_usd: float | None,
        isolation: Isolation | None,
        runner: Literal["local", "dask"] | None = None,
        scheduler: str | None = None,
        trust_network: bool | None = None,
    ) -> RunRequest:
        """The same with these in the place of its own, where they are not None."""
        return replace(
            self,
            jobs=self.jobs if jobs is None else jobs,
            retries=self.retries if retries is None else retries,
            timeout=self.timeout if timeout is None else timeout,
            tool=tool or self.tool,
            budget_usd=self.budget_usd if budget_usd is None else budget_usd,
            isolation=self.isolation if isolation is None else isolation,
            runner=runner or self.runner,
            scheduler=scheduler or self.scheduler,
            trust_network=self.trust_network if trust_network is None else trust_network,
        )

    def to_text(self, subgoals: list[str]) -> str:
        """The content of the file, for a plan with these subgoals."""
        said = {"v": _VERSION, **asdict(self), "subgoals": subgoals}
        return json.dumps(said, indent=2) + "\n"


class NoSuchRunError(Exception):
    """There is no such run, or it cannot be read; the message says what there is."""


def find_run(home: Path, run_id: str | None) -> tuple[RunRequest, RunFolder]:
    """A run by its id, or by the beginning of it; None is the latest.

    Raises:
        NoSuchRunError: None is called so, several are, or its request cannot be read.
    """
    known = run_ids(home)
    if not known:
        raise NoSuchRunError(
            f"no run is kept in {home / 'runs'}; a plan is run by: aurora-soar run PLAN"
        )
    found = known[:1] if run_id is None else [each for each in known if each.startswith(run_id)]
    if run_id in known:
        found = [run_id]
    if len(found) != 1:
        said = "several runs begin" if found else "no run begins"
        named = ", ".join((found or known)[:5])
        hint = "" if found or run_id is None else did_you_mean(run_id, known)
        raise NoSuchRunError(f'{said} with "{run_id}".{hint} The latest: {named}')
    path = home / "runs" / found[0]
    try:
        said = json.loads((path / "run.json").read_text(encoding="utf-8"))
        request, subgoals = _from_data(said)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoSuchRunError(f"run {found[0]} cannot be read: {error}") from None
    return request, RunFolder(found[0], path, subgoals)


def _from_data(said: dict[str, Any]) -> tuple[RunRequest, list[str]]:
    if said["v"] > _VERSION:
        raise ValueError("a newer version of aurora-soar wrote it")
    known = {field.name for field in fields(RunRequest)}
    given = {name: value for name, value in said.items() if name in known}
    for name in ("only", "skip"):
        given[name] = tuple(given.get(name, ()))
    return RunRequest(**given), [str(each) for each in said["subgoals"]]
