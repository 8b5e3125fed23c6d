"""Conducts one run of a plan, from its agents to the exit code."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from rich.text import Text

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar.agents import Agent
from aurora_soar.cli.about import about_run
from aurora_soar.cli.exports import Exports
from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.preflight import with_agent_cli
from aurora_soar.cli.running import Where
from aurora_soar.events import RunEvent, SubgoalEvent, SubgoalFinished
from aurora_soar.phases import execute_agents
from aurora_soar.plan import longest_duration
from aurora_soar.results import CollectResult
from aurora_soar.runs import DiaryWriter, JournalMemo, RunFolder, RunRequest
from aurora_soar.views import (
    Board,
    EventStream,
    LiveView,
    PlainView,
    Row,
    SilentView,
    State,
    Timeline,
    View,
    changed_words,
    error_console,
    glyphs_for,
    next_commands,
    record,
    summary,
)
from aurora_soar.workplaces import Workplaces
from aurora_spawner import (
    AttemptFinished,
    ExitCode,
    Interrupts,
    Journal,
    LoggedWarnings,
    Progress,
    Runner,
    exit_by_signal,
    redact,
    safe_line,
    secrets_in,
)

__all__ = ["Shown", "conduct"]

# How often the screen is drawn and the heart is listened to, seconds.
_TICK = 0.5

# Subgoals whose changes are named at the end; others are counted.
_NAMED = 3

# Final answers are named at the end up to this many; a plan with more has no last word.
_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """How a run shows itself.

    Attributes:
        progress: The view on standard error.
        json: Whether the results go to standard output.
        quiet: Say nothing about success.
        verbose: Show what agents say as they say it, in lines.
        exports: Where else the run is wanted.
    """

    progress: Progress
    json: bool
    quiet: bool
    verbose: bool
    exports: Exports


def conduct(
    prepared: Prepared,
    request: RunRequest,
    folder: RunFolder,
    shown: Shown,
    journal: Journal,
    breaker: CircuitBreaker,
    places: Workplaces,
    where: Where,
    *,
    redo: Collection[str] = (),
    held_back: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Run a plan; returns the exit code.

    Args:
        prepared: The plan, and who answers for it.
        request: What was asked for.
        folder: The folder of the run.
        shown: How it shows itself.
        journal: The run's; what has a result in it is not run again.
        breaker: Asked before each attempt.
        places: Where attempts work.
        where: What their processes run on.
        redo: Subgoals that run again although there is a result.
        held_back: Subgoals that do not run without a result, and why.

    Raises:
        OSError: Progress or results cannot be written.
        ClusterError: The cluster cannot be used; nothing was started.
    """
    with DiaryWriter(folder.diary) as diary:
        conductor = _Conductor(
            prepared, request, folder, shown, journal, diary, breaker, places, redo, held_back
        )
        return asyncio.run(_on(where, conductor))


async def _on(where: Where, conductor: _Conductor) -> int:
    async with where as runner:
        return await conductor.conduct(runner)


class _Conductor:
    """One run: what happens is noted, kept, shown and at last summed up."""

    def __init__(
        self,
        prepared: Prepared,
        request: RunRequest,
        folder: RunFolder,
        shown: Shown,
        journal: Journal,
        diary: DiaryWriter,
        breaker: CircuitBreaker,
        places: Workplaces,
        redo: Collection[str],
        held_back: Mapping[str, str],
    ) -> None:
        plan = prepared.plan
        self._prepared = prepared
        self._request = request
        self._folder = folder
        self._shown_as = shown
        self._exports = shown.exports
        self._breaker = breaker
        self._places = places
        self._held_back = held_back
        self._ids = [subgoal.id for subgoal in plan.subgoals]
        # Attempts of earlier runs keep their numbers, and their logs.
        self._attempts_before = [folder.attempts(position) for position in range(len(self._ids))]
        self._console = error_console(force_terminal=shown.progress is Progress.TTY)
        self._glyphs = glyphs_for(sys.stderr)
        rows = [
            Row(
                subgoal.id,
                agent.id,
                subgoal.depends_on,
                _tool(agent, prepared.chosen_tool),
                agent.config.get("model") or request.model,
            )
            for subgoal, agent in zip(plan.subgoals, prepared.agents, strict=True)
        ]
        self._secrets = secrets_in(os.environ)
        self._memo = JournalMemo(journal, self._ids, self._clean, redo)
        self._began = datetime.now(UTC)
        self._board = Board(
            plan.name,
            rows,
            limit=plan.limits.max_concurrent,
            started=time.monotonic(),
            budget_usd=plan.limits.budget_usd,
        )
        self._timeline = Timeline(self._board.rows, self._board.started)
        self._diary = EventStream(self._board, folder.id, diary.write, self._clean)
        self._view = self._chosen_view()
        self._work: asyncio.Task[CollectResult] | None = None
        # The first output that could not be written, and which readers have gone.
        self._lost: OSError | None = None
        self._gone: set[str] = set()

    async def conduct(self, runner: Runner | None) -> int:
        """Run it to its end; returns the exit code."""
        stop = asyncio.Event()
        self._work = asyncio.create_task(self._execute(stop, runner))
        with (
            Interrupts(stop, self._work.cancel, self._note) as interrupts,
            LoggedWarnings(self._note),
        ):
            self._written(lambda: self._diary.start(self._request.plan_file))
            self._told(self._start_exports)
            self._shown(self._view.start)
            ticking = asyncio.create_task(self._tick())
            await asyncio.wait([self._work])
            ticking.cancel()
            number = interrupts.received
            now = time.monotonic()
            for event in self._board.cut(f"ended by {number.name if number else 'us'}", now):
                self._noted(event, now)
            self._shown(self._view.stop)
        bug = _first_error(self._work, ticking)
        result = None if bug or self._work.cancelled() else self._work.result()
        code = ExitCode.BUG if bug else self._exit_code(number, result)
        self._finish(code)
        if bug is not None:
            raise bug
        if self._lost is not None and number is None:
            raise self._lost
        return code

    def _start_exports(self) -> None:
        plan, run = self._request.plan_file, self._folder.id
        self._exports.start(self._board, run=run, plan=plan, clean=self._clean)

    async def _execute(self, stop: asyncio.Event, runner: Runner | None) -> CollectResult:
        prepared, request = self._prepared, self._request
        limits = prepared.plan.limits
        limit = limits.global_timeout
        if limit is None:
            fallback = not request.no_fallback
            limit = longest_duration(prepared.plan, fallback_to_llm=fallback)
        return await execute_agents(
            list(enumerate(prepared.agents)),
            prepared.plan.mappings(self._held_back),
            fallback_to_llm=not request.no_fallback,
            max_concurrent=limits.max_concurrent,
            per_tool=limits.per_tool,
            # An empty plan takes no time, which is no limit.
            global_timeout=limit or None,
            # A limit that people set holds; ours is a net, and providers may well take hours.
            parked_time_counts=limits.global_timeout is not None,
            budget_usd=limits.budget_usd,
            budget_tokens=limits.budget_tokens,
            breaker=self._breaker,
            registry=prepared.registry,
            on_event=self._happened,
            tool=prepared.chosen_tool,
            model=request.model,
            permissions=request.permissions,
            kept_at=lambda position: str(self._folder.output(position).absolute()),
            memo=self._memo,
            places=self._places,
            runner=runner,
            stop=stop,
        )

    # What happens meanwhile

    def _happened(self, event: RunEvent) -> None:
        now = time.monotonic()
        self._board.apply(event, now)
        self._noted(event, now)
        self._shown(lambda: self._view.saw(event))

    def _noted(self, event: RunEvent, now: float) -> None:
        """What the board knows is kept, gets its time, and is told to programs."""
        self._written(lambda: self._keep(event))
        self._timeline.apply(event, now)
        self._written(lambda: self._diary.saw(event, now))
        self._told(lambda: self._exports.saw(event, now))

    def _keep(self, event: RunEvent) -> None:
        match event:
            case SubgoalEvent(position, AttemptFinished(attempt, _, result)):
                number = self._attempts_before[position] + attempt
                log = self._folder.write_attempt(
                    position, number, self._clean(result.output), self._clean(result.stderr)
                )
                self._board.rows[position].log = os.path.relpath(log)
            case SubgoalFinished(position, output) if output.success:
                self._folder.write_output(position, self._clean(output.output))
            case _:
                pass

    def _clean(self, text: str) -> str:
        """What may be kept of a text: the secrets of our environment stay out of files."""
        return redact(text, self._secrets)

    async def _tick(self) -> object:
        while True:
            await asyncio.sleep(_TICK)
            self._shown(self._view.tick)

    def _note(self, text: str) -> None:
        self._shown(lambda: self._view.note(text))

    def _shown(self, show: Callable[[], None]) -> None:
        """Show people something, unless nobody looks any more."""
        self._passed_on("people", show)

    def _told(self, tell: Callable[[], None]) -> None:
        """Tell programs something, unless nobody listens any more."""
        self._passed_on("programs", tell)

    def _passed_on(self, readers: str, write: Callable[[], None]) -> None:
        """Where a reader has gone, nobody waits for the results."""
        if readers in self._gone:
            return
        try:
            write()
        except OSError as error:
            self._lost = self._lost or error
            self._gone.add(readers)
            if error.errno == errno.EPIPE and self._work is not None:
                self._work.cancel()

    def _written(self, write: Callable[[], None]) -> None:
        """Keep something; if that fails, agents' work is still worth finishing."""
        try:
            write()
        except OSError as error:
            if self._lost is None:
                self._lost = error
                self._note(f"cannot write: {error}; the run goes on")

    def _chosen_view(self) -> View:
        progress = self._shown_as.progress
        if progress is Progress.AUTO:
            live = sys.stderr.isatty() and not self._console.is_dumb_terminal
            # A table has no room for all that is said.
            tty = live and not self._shown_as.verbose
            progress = Progress.TTY if tty else Progress.PLAIN
        if self._shown_as.quiet or progress is Progress.NONE:
            return SilentView(self._console)
        shown = self._board, self._console, self._glyphs, time.monotonic
        if progress is Progress.TTY:
            return LiveView(*shown)
        return PlainView(*shown, verbose=self._shown_as.verbose)

    # The end

    def _exit_code(self, received: signal.Signals | None, result: CollectResult | None) -> int:
        if received is not None:
            return exit_by_signal(received)
        if self._lost is not None:
            gone = self._lost.errno == errno.EPIPE
            return ExitCode.READER_GONE if gone else ExitCode.CANNOT_WRITE
        totals = self._board.totals()
        if totals.unfinished or (result is not None and result.budget_reached):
            return ExitCode.LIMIT
        return ExitCode.OK if totals.ok == len(self._board.rows) else ExitCode.FAILED

    def _finish(self, code: int) -> None:
        now = time.monotonic()
        results = record(
            self._board,
            run=self._folder.id,
            plan=self._request.plan_file,
            started=self._began,
            seconds=now - self._board.started,
            exit_code=code,
            timeline=self._timeline,
            about=about_run(self._request.plan_file, self._clean),
            clean=self._clean,
        )
        text = json.dumps(results, ensure_ascii=False, indent=2) + "\n"
        try:
            self._folder.write_results(text)
        except OSError as error:
            self._lost = self._lost or error
        try:
            self._exports.finish(results)
        except OSError as error:
            self._lost = self._lost or error
        self._written(lambda: self._diary.finish(code, now))
        if not (self._shown_as.quiet and code == ExitCode.OK):
            self._shown(lambda: self._sum_up(now))
        self._told(lambda: self._exports.close(code, now))
        if self._shown_as.json:
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
            sys.stdout.buffer.flush()

    def _sum_up(self, now: float) -> None:
        lines = summary(self._board, now, self._glyphs)
        outcomes = {row.id: str(row.state) for row in self._board.rows}
        if commands := next_commands(self._folder.id, outcomes):
            lines.append(Text(f"Next: {f' {self._glyphs.dot} '.join(commands)}"))
        lines.append(Text(f"Results: {os.path.relpath(self._folder.results)}"))
        lines += [Text(f"Answer:  {os.path.relpath(path)}") for path in self._answers()]
        lines += self._remedies()
        if self._prepared.chosen_tool == "extract":
            command = f"aurora-soar run {shlex.quote(self._request.plan_file)}"
            lines.append(Text(with_agent_cli(command)))
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def _remedies(self) -> Iterator[Text]:
        """What to do with changes in worktrees, and about circuits of earlier runs."""
        rows = list(enumerate(self._board.rows))
        changed = [row for _, row in rows if row.state is State.OK and row.changed]
        if changed:
            files = changed_words(sum(row.changed for row in changed))
            by = ", ".join(safe_line(row.id) for row in changed[:_NAMED])
            more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
            command = f"aurora-soar apply {self._folder.id}"
            yield Text(f"Changes: {files} by {by}{more}; take them over: {command}")
        blocked = [place for place, row in rows if row.state is State.BLOCKED]
        programs = [bool(self._prepared.agents[place].config.get("command")) for place in blocked]
        # Of a program the next run knows nothing, unless it is isolated.
        if self._request.shared_circuits and not all(programs):
            yield Text("Blocked agents are asked again after: aurora-soar circuits reset")

    def _answers(self) -> list[Path]:
        """Where the answers are that the plan leads to: those that no subgoal builds on."""
        built_on = {needed for row in self._board.rows for needed in row.needs}
        answers = [
            self._folder.output(position)
            for position, row in enumerate(self._board.rows)
            if row.state is State.OK and row.id not in built_on
        ]
        return answers if len(answers) <= _ANSWERS else []


def _tool(agent: Agent, chosen: str | None) -> str | None:
    """What an agent goes through, as far as it is known before it starts."""
    return agent.config.get("tool") or ("command" if agent.config.get("command") else chosen)


def _first_error(*tasks: asyncio.Task[object]) -> BaseException | None:
    """What the first of these tasks raised; a cancellation is no error."""
    ended = (task.exception() for task in tasks if task.done() and not task.cancelled())
    return next((error for error in ended if error is not None), None)
