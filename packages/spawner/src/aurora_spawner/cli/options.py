"""What a command line says about a run, apart from its inputs and what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aurora_spawner.progress import Progress

if TYPE_CHECKING:
    from aurora_spawner.runners import RunnerName

__all__ = ["RunOptions"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run.

    Attributes:
        jobs: How many run at once.
        fail_fast: Nothing new starts after a failure.
        unordered: Results are printed as they come.
        progress: How the run shows itself.
        quiet: Say nothing about success.
        results: A folder for the outputs of each task.
        joblog: A file with a line per task.
        journal: A file that keeps the results.
        resume: The journal is that of an earlier run.
        resume_failed: What has failed there runs again.
        runner: Where agents run.
        scheduler: The address of a cluster's scheduler.
        trust_network: Talk to it without encryption.
    """

    jobs: int = 5
    fail_fast: bool = False
    unordered: bool = False
    progress: Progress = Progress.AUTO
    quiet: bool = False
    results: str | None = None
    joblog: str | None = None
    journal: str | None = None
    resume: bool = False
    resume_failed: bool = False
    runner: RunnerName = "local"
    scheduler: str | None = None
    trust_network: bool = False
