"""One child process: callbacks on the event loop, no thread, no polling.

Its life:

    launch ─▶ running ─▶ leader exited ─▶ drained ─▶ leftovers ended ─▶ leader reaped ─▶ result
                 └── stop (TERM and CONT, grace, KILL) ──┘

The leader is reaped last: until then its process id, which is also the id of its group, cannot
belong to a stranger. asyncio's own subprocess is not used: it loses output when a wait times out,
and costs several times as much.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from aurora_spawner import descendants
from aurora_spawner.detection import Detection
from aurora_spawner.failures import FailureType
from aurora_spawner.output import Capture
from aurora_spawner.process.data import Limits, Observer, ProcessResult, Stream
from aurora_spawner.process.dialogue import Dialogue
from aurora_spawner.process.exit import ExitNotice, zombies_kept
from aurora_spawner.process.feed import Feed
from aurora_spawner.process.readiness import Readiness
from aurora_spawner.process.tree import Tree
from aurora_spawner.supervisor import get_supervisor

__all__ = ["Child", "suspend"]

_COOKIE = descendants.COOKIE.encode()
_numbers = itertools.count()

# A pipe holds 64 KiB; larger reads cost more than they save (measured: 2.8 times at 256 KiB).
_READ_SIZE = 64 * 1024

# What the kernel counts `ru_maxrss` in, bytes.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

# Reads in a row from one child before the others get their turn.
_READS_IN_A_ROW = 16


class Child:
    """One running process; every method runs on the event loop."""

    # Many wait side by side: a dictionary each would be a twentieth of what a child costs.
    __slots__ = (
        "_done",
        "_exit",
        "_exit_code",
        "_exited",
        "_failure",
        "_feed",
        "_leaked",
        "_leftovers",
        "_limits",
        "_loop",
        "_observer",
        "_outputs",
        "_peak_memory",
        "_readiness",
        "_reaped",
        "_started",
        "_stopped",
        "_stopped_at",
        "_timer",
        "_tree",
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
        self._readiness = Readiness.of(self._loop)
        self._observer = observer
        self._limits = limits
        self.captures: dict[Stream, Capture] = {
            "stdout": Capture(limits.output_bytes),
            "stderr": Capture(limits.stderr_bytes),
        }
        self._feed = Feed(stdin, dialogue)
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
        self._leftovers: tuple[str, ...] = ()
        self._peak_memory: int | None = None

    # Start

    def launch(
        self, command: Sequence[str], cwd: str | None, env: Mapping[str, str] | None
    ) -> None:
        """Start the process in a session, and so a group, of its own.

        Raises:
            OSError: It could not be started; nothing is left open or running.
        """
        self._started = self._loop.time()
        supervisor = get_supervisor()
        supervisor.watch(self._loop)
        word = f"{supervisor.word}.{next(_numbers)}.".encode()
        ours: list[int] = []
        theirs: list[int] = []
        try:
            for _ in range(2):
                reader, writer = os.pipe()
                ours.append(reader)
                theirs.append(writer)
            if self._feed.wants_pipe:
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
                    env=_marked(env, word),
                    start_new_session=True,
                )
                # Reaping is ours: nothing else of the object is worth its memory.
                popen.returncode = 0
                self._tree = Tree(popen.pid, word, self._limits, supervisor)
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
            self._feed.begin(ours[2], self._readiness, self._on_dialogue_over)

    def _watch_over(self) -> None:
        """Be told of the death of the new process."""
        try:
            self._exit = ExitNotice(self._tree.leader, self._readiness, self._on_exit)
        except BaseException:
            self._tree.signal(signal.SIGKILL)
            os.waitpid(self._tree.leader, 0)
            self._tree.leave()
            raise

    async def ended(self) -> ProcessResult:
        """Wait for the end; a cancellation makes it the end first."""
        cancelled: asyncio.CancelledError | None = None
        while not self._reaped:
            try:
                await self._done
            except asyncio.CancelledError as error:
                self._done = self._loop.create_future()
                # The first cancellation asks; a second one does not wait for the answer.
                if self._exited:
                    # Nothing is waited for any more; it may also have ended at this very moment.
                    if not self._reaped:
                        self._on_drained()
                elif cancelled is None:
                    self._terminate()
                else:
                    self._tree.signal(signal.SIGKILL)
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
            leftovers=self._leftovers,
            unread_input=self._feed.unread,
            peak_memory=self._peak_memory,
        )

    # Read

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

    def _on_dialogue_over(self) -> None:
        # Most end by themselves now; the others are not waited for.
        self._arm(self._loop.time() + self._limits.grace, self._terminate)

    def _terminate(self) -> None:
        """Ask the tree to end; KILL after the grace."""
        if not self._exited:
            self._tree.ask_to_end()
            self._arm(self._loop.time() + self._limits.grace, self._on_grace_over)

    def _on_grace_over(self) -> None:
        self._tree.signal(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the group, until `resume`."""
        self._tree.signal(signal.SIGSTOP)

    def resume(self, paused: float) -> None:
        """Continue the group; the `paused` seconds count for nothing."""
        self._tree.signal(signal.SIGCONT)
        self._started += paused
        self._observer.shift(paused)

    # End

    def _on_exit(self, _: int) -> None:
        """The leader has exited; it stays a zombie until `_finish`."""
        self._exited = True
        self._exit.stop()
        self._feed.close()
        for descriptor in list(self._outputs):
            self._read(descriptor)
        if self._outputs:
            self._arm(self._loop.time() + self._limits.drain, self._on_drained)
        else:
            self._finish()

    def _on_drained(self) -> None:
        self._leaked = True
        self._finish()

    def _finish(self) -> None:
        """End what is left, reap the leader, wake the waiter."""
        if self._timer is not None:
            self._timer.cancel()
        self._leftovers = self._tree.end_leftovers()
        for descriptor in list(self._outputs):
            self._close_output(descriptor)
        self._exit_code = self._reap()
        self._reaped = True
        self._tree.leave()
        _running.discard(self)
        if not self._done.done():
            self._done.set_result(None)

    def _reap(self) -> int:
        try:
            _, status, usage = os.wait4(self._tree.leader, 0)
            self._peak_memory = usage.ru_maxrss * _MAXRSS_UNIT
        except ChildProcessError:
            # SIGCHLD is ignored here, or somebody reaps whatever ends.
            status = self._exit.lost_status()
        finally:
            self._exit.close()
        return os.waitstatus_to_exitcode(status)


def _marked(env: Mapping[str, str] | None, word: bytes) -> Mapping[bytes, bytes]:
    """The environment with the cookie: one word for us, after those of who started us."""
    marked = (
        dict(os.environb)
        if env is None
        else {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    )
    marked[_COOKIE] = b" ".join([*marked.get(_COOKIE, b"").split(), word])
    return marked


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
