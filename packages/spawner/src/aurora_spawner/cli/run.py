"""Conducts one run, from the inputs to the exit code."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace

from aurora_spawner.cli.arguments import Arguments, resuming
from aurora_spawner.cli.dryrun import call_line
from aurora_spawner.cli.folder import ResultsFolder
from aurora_spawner.cli.joblog import JobLog
from aurora_spawner.cli.jobs import Job, Recipe
from aurora_spawner.cli.keeping import Keeping, Known, open_keeping
from aurora_spawner.cli.options import RunOptions
from aurora_spawner.cli.preflight import jobs_of
from aurora_spawner.cli.printer import Printer
from aurora_spawner.cli.records import RecordTooLongError
from aurora_spawner.cli.results import InOrder, result_line
from aurora_spawner.cli.screen import Screen
from aurora_spawner.cli.sources import Source
from aurora_spawner.cli.tally import Tally
from aurora_spawner.cli.words import name_of
from aurora_spawner.commands import ExitCode, Interrupts, LoggedWarnings, exit_by_signal
from aurora_spawner.events import AttemptStarted, Event, RetryScheduled
from aurora_spawner.failures import FailureType
from aurora_spawner.models import SpawnResult, SpawnTask
from aurora_spawner.policy import named_policy
from aurora_spawner.pool import run_workers
from aurora_spawner.recovery import RecoverableTask, recover
from aurora_spawner.runners import Runner, chosen_runner
from aurora_spawner.spawner import spawn

__all__ = ["dry_run", "run"]

# How often the screen is drawn and the heart is listened to, seconds.
_TICK = 0.5

# Bytes of results that may wait for an earlier one, or for a slow reader, while new tasks start.
_HELD = 64 * 2**20

# What is left to a reader that does not read, once agents are to be ended, seconds.
_LAST_WORDS = 1.0

# Changes that are named one by one; the others are counted.
_NAMED = 20


def run(
    arguments: Arguments, source: Source, recipe: Recipe, options: RunOptions, total: int | None
) -> int:
    """Run everything; returns the exit code.

    Args:
        arguments: The command line, for the advice at the end.
        source: The inputs.
        recipe: What becomes of them.
        options: How to run.
        total: How many inputs there are; None for a stream.

    Raises:
        ClusterError, InvalidTaskError: The runner cannot be used; nothing was started.
        OSError: The folder, the job log or the journal cannot be made.
        JournalError: The journal cannot be used.
    """
    return asyncio.run(_begin(arguments, source, recipe, options, total))


async def _begin(
    arguments: Arguments, source: Source, recipe: Recipe, options: RunOptions, total: int | None
) -> int:
    where = chosen_runner(
        options.runner,
        options.scheduler,
        trust_network=options.trust_network,
        slots=options.jobs,
    )
    with open_keeping(options) as keeping:
        async with where as runner:
            conductor = _Conductor(arguments, source, recipe, options, keeping, total, runner)
            return await conductor.conduct()


async def dry_run(source: Source, recipe: Recipe, options: RunOptions) -> None:
    """Print the calls that would be made."""
    with open_keeping(options) as keeping:
        index = 0
        async for record in source.records():
            job = recipe.job(index, record)
            index += 1
            if keeping is not None and (await keeping.known(job)).result is not None:
                continue
            print(call_line(job), flush=True)


class _Conductor:
    """One run: what happens is counted, kept, shown, printed and at last summed up."""

    def __init__(
        self,
        arguments: Arguments,
        source: Source,
        recipe: Recipe,
        options: RunOptions,
        keeping: Keeping | None,
        total: int | None,
        runner: Runner | None,
    ) -> None:
        self._arguments = arguments
        self._source = source
        self._recipe = recipe
        self._options = options
        self._keeping = keeping
        self._runner = runner
        self._folder = ResultsFolder(options.results) if options.results is not None else None
        self._joblog = JobLog(options.joblog) if options.joblog is not None else None
        self._tally = Tally(options.jobs, total, time.monotonic())
        self._screen = Screen(self._tally, options, self._on_screen_lost)
        self._in_order = InOrder()
        self._printer = Printer(
            1,
            before=self._on_write,
            after=self._on_written,
            lost=self._on_output_lost,
        )
        # What is drawn there must not stand in the way of results.
        self._shares_terminal = sys.stdout.isatty()
        self._room = asyncio.Event()
        self._told_wait = False
        self._stop = asyncio.Event()
        self._ending = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._input_error: Exception | None = None
        # The first output that could not be written.
        self._lost: OSError | None = None

    async def conduct(self) -> int:
        """Run it to its end; returns the exit code."""
        with (
            Interrupts(self._stop, self._end, self._screen.note) as interrupts,
            LoggedWarnings(self._screen.note),
        ):
            self._work = asyncio.create_task(self._run_all())
            around = [asyncio.create_task(self._tick()), asyncio.create_task(self._on_stop())]
            await asyncio.wait([self._work])
            for line in self._in_order.rest():
                self._printer.put(line)
            await self._drain()
            for task in around:
                task.cancel()
            self._printer.close()
            self._screen.hide()
            error = None if self._work.cancelled() else self._work.exception()
            if error is not None:
                raise error
            code = self._exit_code(interrupts.received)
            self._sum_up(code)
        return code

    # The work

    async def _run_all(self) -> None:
        if self._keeping is not None:
            for line in self._keeping.history():
                self._screen.inform(line)
            if self._options.resume and not self._source.is_stream:
                await self._foretell(self._keeping)
        await run_workers(self._jobs(), self._run_job, self._options.jobs)

    async def _jobs(self) -> AsyncIterator[Job]:
        """What is to run, as it is needed; everything else has its result at once."""
        index = 0
        try:
            async for record in self._source.records():
                await self._wait_for_room()
                if self._stop.is_set():
                    return
                job = self._recipe.job(index, record)
                index += 1
                if job.task is None:
                    said = "; ".join(f"{job.place}: {problem}" for problem in job.problems)
                    self._conclude(job, SpawnResult.failed(said, FailureType.INVALID_REQUEST))
                    continue
                known = await self._recall(job)
                if known is None:
                    yield job
                else:
                    self._conclude(job, known, kept=True)
        except (OSError, RecordTooLongError) as error:
            self._input_error = error
            self._screen.note(f"cannot read the input: {error}; nothing new starts")

    async def _recall(self, job: Job) -> SpawnResult | None:
        if self._keeping is None:
            return None
        known = await self._keeping.known(job)
        if self._source.is_stream:
            self._tell_change(job, known)
        return known.result

    async def _wait_for_room(self) -> None:
        """Bound the memory: what is finished and not written yet is all that can grow."""
        while self._in_order.held + self._printer.waiting >= _HELD and not self._stop.is_set():
            if not self._told_wait and self._in_order.held >= _HELD:
                self._told_wait = True
                self._screen.note(
                    f"nothing new starts until #{self._in_order.missing} ends: results of "
                    f"{_HELD // 2**20} MiB wait for it; -u prints them as they come"
                )
            self._room.clear()
            await self._room.wait()

    async def _run_job(self, drawn: int, job: Job) -> None:
        assert job.task is not None
        task = job.task
        if self._folder is not None:
            task = replace(task, log_dir=self._folder.place(job))
        self._tally.started(job.index, time.monotonic())
        began = time.time()
        keeping = self._keeping
        execution = keeping.started(job) if keeping is not None else None
        result = await recover(self._recoverable(job, task))
        if keeping is not None and execution is not None:
            await keeping.finished(execution, result)
        self._tally.ended(job.index, time.monotonic())
        self._written(lambda: self._log(job, result, began))
        self._conclude(job, result)

    def _recoverable(self, job: Job, task: SpawnTask) -> RecoverableTask:
        def heard(event: Event) -> None:
            match event:
                case RetryScheduled():
                    self._tally.paused(job.index)
                case AttemptStarted():
                    self._tally.resumed(job.index)
                case _:
                    pass

        return RecoverableTask(
            **{each.name: getattr(task, each.name) for each in fields(SpawnTask)},
            # The plain task: nobody looks at single lines of output, so nobody needs to cut them.
            spawn=lambda _: spawn(task, runner=self._runner),
            max_retries=named_policy(task.policy).retry.attempts - 1,
            fallback_to_llm=False,
            on_event=heard,
        )

    def _log(self, job: Job, result: SpawnResult, began: float) -> None:
        if self._folder is not None:
            self._folder.write(job, result)
        if self._joblog is not None:
            self._joblog.write(job, result, began)

    def _conclude(self, job: Job, result: SpawnResult, *, kept: bool = False) -> None:
        """A job has its result."""
        self._tally.count(success=result.success, flaky=result.retry_count > 0, kept=kept)
        line = result_line(job, result, kept=kept)
        for each in [line] if self._options.unordered else self._in_order.add(job.index, line):
            self._printer.put(each)
        self._room.set()
        if not result.success:
            if not kept:
                self._screen.failed(job, result)
            if self._options.fail_fast and not self._stop.is_set():
                self._stop.set()
                self._screen.note("a failure: nothing new starts, agents may finish")

    # Resuming

    async def _foretell(self, keeping: Keeping) -> None:
        """Say what an input that can be read twice will come to."""
        kept = run = changed = 0
        for job in jobs_of(self._source, self._recipe):
            known = await keeping.known(job)
            kept += known.result is not None
            run += known.result is None
            if known.changed:
                changed += 1
                if changed <= _NAMED:
                    self._tell_change(job, known)
        also = f", {changed} of them changed" if changed else ""
        self._screen.inform(f"resume: {kept} kept, {run} to run{also}")

    def _tell_change(self, job: Job, known: Known) -> None:
        if known.changed:
            self._screen.inform(f"{name_of(job)} runs again: {', '.join(known.changed)} changed")

    # Signals, and outputs that fail

    async def _on_stop(self) -> None:
        await self._stop.wait()
        self._source.stop()
        self._room.set()

    def _end(self) -> None:
        """End the agents."""
        self._ending.set()
        if self._work is not None:
            self._work.cancel()

    async def _drain(self) -> None:
        """Wait for the reader, unless the run is to end and it does not read."""
        draining = asyncio.create_task(self._printer.drain())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait([draining, ending], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([draining], timeout=_LAST_WORDS)
        for task in (draining, ending):
            task.cancel()

    def _on_write(self) -> None:
        if self._shares_terminal:
            self._screen.hide()

    def _on_written(self) -> None:
        self._room.set()
        if self._shares_terminal:
            self._screen.tick()

    def _on_output_lost(self, error: OSError) -> None:
        """Nobody gets the results any more: what would be done now would be for nothing."""
        self._lost = error
        self._end()
        self._stop.set()

    def _written(self, write: Callable[[], None]) -> None:
        """Write to a file of the user's; if that fails, agents' work is still worth finishing."""
        try:
            write()
        except OSError as error:
            if self._lost is None:
                self._lost = error
                self._screen.note(f"cannot write: {error}; the run goes on")

    def _on_screen_lost(self, error: OSError) -> None:
        self._lost = self._lost or error
        if error.errno == errno.EPIPE:
            self._end()

    async def _tick(self) -> None:
        while True:
            if not (self._shares_terminal and self._printer.waiting):
                self._screen.tick()
            await asyncio.sleep(_TICK)

    # The end

    def _exit_code(self, received: signal.Signals | None) -> int:
        if received is not None:
            return exit_by_signal(received)
        if self._lost is not None:
            gone = self._lost.errno == errno.EPIPE
            return ExitCode.READER_GONE if gone else ExitCode.CANNOT_WRITE
        if self._input_error is not None:
            unread = isinstance(self._input_error, OSError)
            return ExitCode.CANNOT_WRITE if unread else ExitCode.USAGE
        if self._keeping is not None and self._keeping.trouble:
            return ExitCode.CANNOT_WRITE
        return ExitCode.FAILED if self._tally.failed else ExitCode.OK

    def _sum_up(self, code: int) -> None:
        if code == ExitCode.READER_GONE or (self._options.quiet and code == ExitCode.OK):
            return
        if self._lost is not None:
            self._screen.say(f"aurora-spawn: cannot write: {self._lost}")
        tally = self._tally
        self._screen.sum_up()
        if self._keeping is not None and code != ExitCode.OK:
            whole = tally.total is not None and tally.done == tally.total
            again = resuming(self._arguments, failed=whole and tally.failed > 0)
            self._screen.say(f"Go on with: {again}")
