"""What every view of a run says in words; pure."""

from __future__ import annotations

from aurora_spawner.cli.jobs import Job
from aurora_spawner.cli.tally import Tally
from aurora_spawner.durations import format_duration
from aurora_spawner.models import SpawnResult
from aurora_spawner.terminal import safe_line

__all__ = ["counts", "failure", "first_line", "name_of", "summary"]

# What a line shows of other people's words, characters; a screen is narrower, a pipe is not.
_LONGEST = 400
_LONGEST_NAME = 40


def first_line(text: str, longest: int = _LONGEST) -> str:
    """The first line that is not blank, made safe to show."""
    # Not splitlines: a carriage return rewrites a line, it ends none.
    line = next((each for each in text.split("\n") if each.strip()), "")
    shown = line.rstrip("\r").rpartition("\r")[2].strip()
    return safe_line(shown if len(shown) <= longest else f"{shown[: longest - 3]}...")


def name_of(job: Job) -> str:
    """What a job is called: its index, and what its input says first."""
    called = job.input if job.id is None else str(job.id)
    return f"#{job.index} {first_line(called, _LONGEST_NAME)}".rstrip()


def failure(job: Job, result: SpawnResult) -> str:
    """A failed job in one line."""
    tries = f" ({result.retry_count + 1} attempts)" if result.retry_count else ""
    return f"{name_of(job)}: {first_line(result.error or 'failed')}{tries}"


def counts(tally: Tally) -> list[str]:
    """How far it is, the most important first."""
    waiting = f" ({tally.pausing} waiting to retry)" if tally.pausing else ""
    parts = [f"{tally.failed} failed" if tally.failed else "", f"{tally.running} running{waiting}"]
    return [part for part in parts if part]


def summary(tally: Tally, now: float, dot: str) -> str:
    """The last line: `48 ok (1 flaky), 2 failed · 1:02`."""
    among = {"flaky": tally.flaky, "kept": tally.kept}
    special = ", ".join(f"{count} {word}" for word, count in among.items() if count)
    parts = [f"{tally.ok} ok", f"{tally.failed} failed" if tally.failed else ""]
    if tally.running:
        parts.append(f"{tally.running} ended by us")
    if tally.total is not None and (rest := tally.total - tally.done - tally.running):
        parts.append(f"{rest} not started")
    said = ", ".join(filter(None, parts))
    return f"{said}{f' ({special})' if special else ''} {dot} {format_duration(now - tally.began)}"
