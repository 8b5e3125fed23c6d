"""One child process: callbacks on the event loop, no thread, no polling.

Its life:

    launch ─▶ running ─▶ leader exited ─▶ drained ─▶ leftovers ended ─▶ leader reaped ─▶ result
                 └── stop (TERM and CONT, grace, KILL) ──┘

The leader is reaped last: until then its process id, which is also the id of its group, cannot
belong to a stranger. What it left is looked for only if anybody has started anything meanwhile,
which the kernel tells in one read. asyncio's own subprocess is not used: it loses output when a
wait times out, and costs several times as much.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from aurora_spawner import descendants
from aurora_spawner.detection import Detection
from aurora_spawner.failures import FailureType
from aurora_spawner.output import Capture
from aurora_spawner.process.data import Limits, Observer, ProcessResult, Stream
from aurora_spawner.process.dialogue import Dialogue
from aurora_spawner.process.exit import ExitNotice, zombies_kept
from aurora_spawner.process.readiness import Readiness
from aurora_spawner.supervisor import get_supervisor

__all__ = ["Child", "suspend"]

_COOKIE = descendants.COOKIE.encode()
_numbers = itertools.count()
_NO_INPUT = memoryview(b"")

# A pipe holds 64 KiB; larger reads cost more than they save (measured: 2.8 times at 256 KiB).
_READ_SIZE = 64 * 1024

# Searches for leftovers while somebody, perhaps a stranger, goes on starting processes.
_SEARCHES = 5

# Reads in a row from one child before the others get their turn.
_READS_IN_A_ROW = 16


class Child:
    """One running process; every method runs on the event loop."""

    launched = 0

    # Many wait side by side: a dictionary each would be a twentieth of what a child costs.
    __slots__ = (
        "_awaits_room",
        "_dialogue",
        "_done",
        "_exit",
        "_exit_code",
        "_exited",
        "_failure",
        "_feed",
        "_input",
        "_launch",
        "_leaked",
        "_leftovers",
        "_limits",
        "_loop",
        "_observer",
        "_outputs",
        "_pid",
        "_readiness",
        "_reaped",
        "_slot",
        "_started",
        "_stopped",
        "_stopped_at",
        "_strays",
        "_supervisor",
        "_timer",
        "_word",
        "captures",
    )

    def __init__(
        self,
        observer: Observer,
        stdin: bytes,
        limits: Limits,
        dialogue: Dialogue | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._observer = observer
        self._limits = limits
        self.captures: dict[Stream, Capture] = {
            "stdout": Capture(limits.output_bytes),
            "stderr": Capture(limits.stderr_bytes),
        }
        self._input = memoryview(stdin) if stdin else _NO_INPUT
        self._dialogue = dialogue
        self._awaits_room = False
        self._feed: int | None = None
        self._outputs: dict[int, Stream] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._exited = False
        self._reaped = False
        self._leaked = False
        self._stopped: Detection | None = None
        self._failure: Exception | None = None
        self._stopped_at = 0.0
        self._exit_code = -1
        self._leftovers: list[descendants.Process] = []
        self._strays: list[descendants.Process] = []
        self._supervisor = get_supervisor()
        self._readiness = Readiness.of(self._loop)

    # Start

    def launch(
        self, command: Sequence[str], cwd: str | None, env: Mapping[str, str] | None
    ) -> None:
        """Start the process in a session, and so a group, of its own.

        Raises:
            OSError: It could not be started; nothing is left open or running.
        """
        self._started = self._loop.time()
        self._supervisor.watch(self._loop)
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for _ in range(2):
                reader, writer = os.pipe()
                ours.append(reader)
                theirs.append(writer)
            if self._input or self._dialogue is not None:
                reader, writer = os.pipe()
                ours.append(writer)
                theirs.append(reader)
            for descriptor in ours:
                os.set_blocking(descriptor, False)
            with zombies_kept():
                popen = subprocess.Popen(
                    command,
                    stdin=theirs[2] if len(theirs) > 2 else subprocess.DEVNULL,
                    stdout=theirs[0],
                    stderr=theirs[1],
                    cwd=cwd,
                    env=self._marked(env),
                    start_new_session=True,
                )
                # Reaping is ours: nothing else of the object is worth its memory.
                popen.returncode = 0
                self._pid = popen.pid
                self._watch_over()
        except BaseException:
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        _running.add(self)
        self._outputs = {ours[0]: "stdout", ours[1]: "stderr"}
        for descriptor in self._outputs:
            self._readiness.when_readable(descriptor, self._on_readable)
        self._arm(self._observer.due(), self._on_due)
        if len(ours) > 2:
            self._feed = ours[2]
            self._feed_more()
        if self._dialogue is not None:
            self._dialogue.listen(self._on_said)

    def _watch_over(self) -> None:
        """Have our death end the new process, and be told of its own."""
        Child.launched = self._launch = Child.launched + 1
        self._slot = self._supervisor.enter(self._pid)
        try:
            self._exit = ExitNotice(self._pid, self._readiness, self._on_exit)
        except BaseException:
            self._signal(signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._supervisor.leave(self._slot)
            raise

    def _marked(self, env: Mapping[str, str] | None) -> Mapping[bytes, bytes]:
        """The environment with the cookie: one word for us, after those of who started us."""
        marked = (
            dict(os.environb)
            if env is None
            else {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        )
        self._word = f"{self._supervisor.word}.{next(_numbers)}.".encode()
        marked[_COOKIE] = b" ".join([*marked.get(_COOKIE, b"").split(), self._word])
        return marked

    async def ended(self) -> ProcessResult:
        """Wait for the end; a cancellation makes it the end first."""
        cancelled: asyncio.CancelledError | None = None
        while not self._finished:
            try:
                await self._done
            except asyncio.CancelledError as error:
                self._done = self._loop.create_future()
                # The first cancellation asks; a second one does not wait for the answer.
                if self._exited:
                    # Nothing is waited for any more; it may also have ended at this very moment.
                    if not self._finished:
                        self._on_drained()
                elif cancelled is None:
                    self._terminate()
                else:
                    self._signal(signal.SIGKILL)
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if self._failure is not None:
            raise self._failure
        return ProcessResult(
            exit_code=self._exit_code,
            stdout=self.captures["stdout"],
            stderr=self.captures["stderr"],
            duration=self._loop.time() - self._started,
            stopped=self._stopped,
            stopped_after=self._stopped_at - self._started if self._stopped else None,
            leaked=self._leaked,
            leftovers=tuple(f"{left.name} ({left.pid})" for left in self._leftovers),
            unread_input=bool(self._input),
        )

    # Feed and read

    def _feed_more(self) -> None:
        """Write what fits into the pipe, which most prompts do; wait for room for the rest."""
        assert self._feed is not None
        if self._dialogue is not None and not self._input:
            self._input = memoryview(self._dialogue.take())
        try:
            self._input = self._input[os.write(self._feed, self._input) :]
        except BlockingIOError:
            pass
        except OSError:
            # The reader has gone (EPIPE): whether that matters is for its exit to say.
            self._close_feed()
            return
        if self._input:
            self._await_room(True)
            return
        # What is fed need not be kept any longer.
        self._input = _NO_INPUT
        if self._dialogue is not None and not self._dialogue.over:
            self._await_room(False)
            return
        self._close_feed()
        if self._dialogue is not None:
            # Most end by themselves now; the others are not waited for.
            self._arm(self._loop.time() + self._limits.grace, self._terminate)

    def _on_writable(self, _: int) -> None:
        self._feed_more()

    def _on_said(self) -> None:
        """There is more to feed, or no more to come."""
        if self._feed is not None:
            self._feed_more()

    def _await_room(self, wanted: bool) -> None:
        if self._feed is None or wanted is self._awaits_room:
            return
        self._awaits_room = wanted
        if wanted:
            self._readiness.when_writable(self._feed, self._on_writable)
        else:
            self._readiness.forget(self._feed)

    def _close_feed(self) -> None:
        if self._feed is not None:
            self._await_room(False)
            os.close(self._feed)
            self._feed = None

    def _on_readable(self, descriptor: int) -> None:
        self._read(descriptor)
        if self._exited and not self._outputs:
            self._finish()

    def _read(self, descriptor: int) -> None:
        """Read what is there; close at its end."""
        stream = self._outputs[descriptor]
        for _ in range(_READS_IN_A_ROW):
            try:
                data = os.read(descriptor, _READ_SIZE)
            except BlockingIOError:
                return
            if not data:
                self._close_output(descriptor)
                return
            self.captures[stream].feed(data)
            self._consult(self._observer.saw, stream, data)
            # A short read means an empty pipe; once the process is gone its end may follow.
            if len(data) < _READ_SIZE and not self._exited:
                return

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        self._readiness.forget(descriptor)
        os.close(descriptor)

    # Stop

    def _arm(self, when: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, callback)

    def _on_due(self) -> None:
        self._consult(self._observer.check)
        if self._stopped is None:
            self._arm(self._observer.due(), self._on_due)

    def _consult(self, ask: Callable[..., Detection | None], *news: object) -> None:
        """Let the observer end the process; its error does so too, and is raised at the end."""
        now = self._loop.time()
        detection = None
        if self._failure is None:
            try:
                detection = ask(*news, now)
            except Exception as error:
                self._failure = error
                detection = Detection(f"the observer failed: {error!r}", FailureType.CRASH)
        if detection is not None and self._stopped is None and not self._exited:
            self._stopped = detection
            self._stopped_at = now
            self._terminate()

    def _terminate(self) -> None:
        """TERM to the group, and CONT so that a stopped one can obey; KILL after the grace."""
        if self._exited:
            return
        # Those that left the group are asked as well. Who scrubbed its environment is known now,
        # while its line of parents still leads here, and not any more later.
        everyone = list(descendants.processes(self._pid))
        self._strays = [
            process
            for process in descendants.line_of(self._pid, everyone)
            if process.group != self._pid and not self._spares(process)
        ]
        for number in (signal.SIGTERM, signal.SIGCONT):
            self._signal(number)
            for stray in self._strays:
                descendants.send(stray, number)
        self._arm(self._loop.time() + self._limits.grace, self._on_grace_over)

    def _on_grace_over(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # Safe from reused ids, because the leader is reaped after the last signal. macOS answers
        # EPERM for a group that holds nothing but a zombie.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)

    def pause(self) -> None:
        """Stop the group, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self, paused: float) -> None:
        """Continue the group; the `paused` seconds count for nothing."""
        self._signal(signal.SIGCONT)
        self._started += paused
        self._observer.shift(paused)

    # End

    def _on_exit(self, _: int) -> None:
        """The leader has exited; it stays a zombie until `_finish`."""
        self._exited = True
        self._exit.stop()
        self._close_feed()
        for descriptor in list(self._outputs):
            self._read(descriptor)
        if self._outputs:
            self._arm(self._loop.time() + self._limits.drain, self._on_drained)
        else:
            self._finish()

    def _on_drained(self) -> None:
        self._leaked = True
        self._finish()

    @property
    def _finished(self) -> bool:
        return self._reaped

    def _finish(self) -> None:
        """End what is left, reap the leader, wake the waiter."""
        if self._timer is not None:
            self._timer.cancel()
        if self._strays or self._somebody_forked():
            self._end_leftovers()
        for descriptor in list(self._outputs):
            self._close_output(descriptor)
        self._exit_code = self._reap()
        self._reaped = True
        self._supervisor.leave(self._slot)
        _running.discard(self)
        if not self._done.done():
            self._done.set_result(None)

    def _somebody_forked(self) -> bool:
        """Whether any process was started since our leader, apart from leaders of ours."""
        started = descendants.last_process_id() - self._pid
        return started != Child.launched - self._launch

    def _end_leftovers(self) -> None:
        spared: set[int] = set()
        for _ in range(_SEARCHES):
            last = descendants.last_process_id()
            self._leftovers = self._descendants()
            # Who was born while we looked may have slipped by.
            if self._leftovers or descendants.last_process_id() == last:
                break
        if not self._leftovers:
            return
        for process in self._leftovers:
            if self._spares(process):
                spared.add(process.pid)
                self._supervisor.keep(process.pid)
        if not spared:
            self._signal(signal.SIGKILL)
        descendants.end_all(
            lambda: [left for left in self._descendants() if left.pid not in spared]
        )

    def _spares(self, process: descendants.Process) -> bool:
        return self._limits.leftovers == "report" or process.name in self._limits.keep

    def _descendants(self) -> list[descendants.Process]:
        """Those of the group, those that bear our word, those seen before, and all below them."""
        leader = self._pid
        known = {(stray.pid, stray.started) for stray in self._strays}
        # A leader that is still seen is no longer ours: a stranger got its id.
        leaders = {child._pid for child in _running}
        everyone = list(descendants.processes(leader, but=leaders))
        found = {
            process.pid: process
            for process in everyone
            if process.group == leader
            or (process.pid, process.started) in known
            or descendants.bears(process, self._word)
        }
        for pid in list(found):
            found.update((below.pid, below) for below in descendants.line_of(pid, everyone))
        return list(found.values())

    def _reap(self) -> int:
        try:
            _, status = os.waitpid(self._pid, 0)
        except ChildProcessError:
            # SIGCHLD is ignored here, or somebody reaps whatever ends.
            status = self._exit.lost_status()
        finally:
            self._exit.close()
        return os.waitstatus_to_exitcode(status)


_running: set[Child] = set()


def suspend() -> None:
    """Stop every running process and then ourselves; go on when somebody continues us.

    For a command's SIGTSTP handler, on the event loop. The time in between counts against no
    deadline.
    """
    for child in _running:
        child.pause()
    before = time.monotonic()
    os.kill(os.getpid(), signal.SIGSTOP)
    paused = time.monotonic() - before
    for child in _running:
        child.resume(paused)
