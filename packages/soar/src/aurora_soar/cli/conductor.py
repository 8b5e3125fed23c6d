"""Conducts one run of a plan, from its agents to the exit code."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from aurora_circuit_breaker import CircuitBreaker
from aurora_soar.agents import Agent
from aurora_soar.cli.about import about_run
from aurora_soar.cli.closing import closing_lines
from aurora_soar.cli.outlets import Outlets
from aurora_soar.cli.plans import Prepared
from aurora_soar.cli.running import Where
from aurora_soar.cli.viewing import Shown, chosen_view
from aurora_soar.events import RunEvent, SubgoalEvent, SubgoalFinished
from aurora_soar.phases import execute_agents
from aurora_soar.plan import longest_duration
from aurora_soar.results import CollectResult
from aurora_soar.runs import DiaryWriter, JournalMemo, RunFolder, RunRequest
from aurora_soar.views import (
    Board,
    EventStream,
    Row,
    Timeline,
    error_console,
    glyphs_for,
    record,
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
    secrets_in,
)

__all__ = ["conduct"]

# How often the screen is drawn and the heart is listened to, seconds.
_TICK = 0.5


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
        self._secrets = secrets_in(os.environ)
        self._memo = JournalMemo(journal, self._ids, self._clean, redo)
        self._began = datetime.now(UTC)
        self._board = _new_board(prepared, request.model)
        self._timeline = Timeline(self._board.rows, self._board.started)
        self._diary = EventStream(self._board, folder.id, diary.write, self._clean)
        self._view = chosen_view(shown, self._board, self._console)
        self._work: asyncio.Task[CollectResult] | None = None
        self._outlets = Outlets(self._give_up, self._note)

    async def conduct(self, runner: Runner | None) -> int:
        """Run it to its end; returns the exit code."""
        stop = asyncio.Event()
        self._work = asyncio.create_task(self._execute(stop, runner))
        with (
            Interrupts(stop, self._work.cancel, self._note) as interrupts,
            LoggedWarnings(self._note),
        ):
            self._outlets.keep(lambda: self._diary.start(self._request.plan_file))
            self._outlets.tell(self._start_exports)
            self._outlets.show(self._view.start)
            ticking = asyncio.create_task(self._tick())
            await asyncio.wait([self._work])
            ticking.cancel()
            number = interrupts.received
            now = time.monotonic()
            for event in self._board.cut(f"ended by {number.name if number else 'us'}", now):
                self._noted(event, now)
            self._outlets.show(self._view.stop)
        bug = _first_error(self._work, ticking)
        result = None if bug or self._work.cancelled() else self._work.result()
        code = ExitCode.BUG if bug else self._exit_code(number, result)
        self._finish(code)
        if bug is not None:
            raise bug
        if self._outlets.lost is not None and number is None:
            raise self._outlets.lost
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
        self._outlets.show(lambda: self._view.saw(event))

    def _noted(self, event: RunEvent, now: float) -> None:
        """What the board knows is kept, gets its time, and is told to programs."""
        self._outlets.keep(lambda: self._keep(event))
        self._timeline.apply(event, now)
        self._outlets.keep(lambda: self._diary.saw(event, now))
        self._outlets.tell(lambda: self._exports.saw(event, now))

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
            self._outlets.show(self._view.tick)

    def _note(self, text: str) -> None:
        self._outlets.show(lambda: self._view.note(text))

    def _give_up(self) -> None:
        """Nobody waits for the results."""
        if self._work is not None:
            self._work.cancel()

    # The end

    def _exit_code(self, received: signal.Signals | None, result: CollectResult | None) -> int:
        if received is not None:
            return exit_by_signal(received)
        if self._outlets.lost is not None:
            gone = self._outlets.lost.errno == errno.EPIPE
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
        self._outlets.finish(lambda: self._folder.write_results(text))
        self._outlets.finish(lambda: self._exports.finish(results))
        self._outlets.keep(lambda: self._diary.finish(code, now))
        if not (self._shown_as.quiet and code == ExitCode.OK):
            self._outlets.show(lambda: self._sum_up(now))
        self._outlets.tell(lambda: self._exports.close(code, now))
        if self._shown_as.json:
            sys.stdout.buffer.write(text.encode("utf-8", "replace"))
            sys.stdout.buffer.flush()

    def _sum_up(self, now: float) -> None:
        about = self._board, self._prepared, self._request, self._folder
        for line in closing_lines(*about, glyphs_for(sys.stderr), now):
            self._console.print(line, soft_wrap=True)


def _new_board(prepared: Prepared, model: str | None) -> Board:
    """The board of a run that begins now."""
    plan = prepared.plan
    rows = [
        Row(
            subgoal.id,
            agent.id,
            subgoal.depends_on,
            _tool(agent, prepared.chosen_tool),
            agent.config.get("model") or model,
        )
        for subgoal, agent in zip(plan.subgoals, prepared.agents, strict=True)
    ]
    return Board(
        plan.name,
        rows,
        limit=plan.limits.max_concurrent,
        started=time.monotonic(),
        budget_usd=plan.limits.budget_usd,
    )


def _tool(agent: Agent, chosen: str | None) -> str | None:
    """What an agent goes through, as far as it is known before it starts."""
    return agent.config.get("tool") or ("command" if agent.config.get("command") else chosen)


def _first_error(*tasks: asyncio.Task[object]) -> BaseException | None:
    """What the first of these tasks raised; a cancellation is no error."""
    ended = (task.exception() for task in tasks if task.done() and not task.cancelled())
    return next((error for error in ended if error is not None), None)
