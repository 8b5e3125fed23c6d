"""The only file that meets the operating system: start, feed, read, stop, reap.

One child is one `_Child`: callbacks on the event loop, no thread, no polling. Its life:

    launch ─▶ running ─▶ leader exited ─▶ drained ─▶ leftovers killed ─▶ leader reaped ─▶ result
                 └── stop (TERM and CONT, grace, KILL) ──┘

The leader is reaped last: until then its process id, which is also the id of its group, cannot
belong to a stranger. What it left is looked for only if anybody has started anything meanwhile,
which the kernel tells in one read. asyncio's own subprocess is not used: it loses output when a
wait times out, and costs several times as much.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import itertools
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from aurora_spawner import descendants
from aurora_spawner.detection import Detection, Watch, WatchRules
from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.output import Capture
from aurora_spawner.policy import Isolation, Leftovers, positive_seconds
from aurora_spawner.supervisor import get_supervisor

__all__ = ["Limits", "Observer", "ProcessResult", "StartError", "run_observed", "run_process"]

# A pipe holds 64 KiB; larger reads cost more than they save (measured: 2.8 times at 256 KiB).
_READ_SIZE = 64 * 1024

_COOKIE = descendants.COOKIE.encode()
_numbers = itertools.count()

# Reads in a row from one child before the others get their turn.
_READS_IN_A_ROW = 16

Stream: TypeAlias = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process.

    Attributes:
        timeout: Seconds from launch after which it is ended.
        output_bytes: Bytes of standard output kept.
        stderr_bytes: Bytes of standard error kept.
        grace: Seconds between TERM and KILL.
        drain: Seconds that descendants may hold the pipes open after the process has exited.
        leftovers: What becomes of descendants that outlive the process: `kill`, or `report` to
            let them live and only name them in the result.
        keep: Names of programs that are let live all the same, such as `gpg-agent`.
        isolation: `pid-namespace` starts the process in a PID namespace of its own (Linux, by
            util-linux's `unshare`): nothing can leave it, and everything dies with it.
    """

    timeout: float = 300.0
    output_bytes: int = 8 * 2**20
    stderr_bytes: int = 2**20
    grace: float = 5.0
    drain: float = 0.2
    leftovers: Leftovers = "kill"
    keep: tuple[str, ...] = ()
    isolation: Isolation = "none"


@dataclass(frozen=True, slots=True)
class StartError:
    """Why no process could be started.

    Attributes:
        kind: Which of the ways a start can fail.
        message: The cause and the remedy, for people.
    """

    kind: Literal[
        "not_found",
        "not_executable",
        "bad_interpreter",
        "wrong_format",
        "missing_cwd",
        "too_long",
        "no_resources",
        "other",
    ]
    message: str


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What became of a process.

    Attributes:
        exit_code: 0-255, or minus the signal number; -1 also when it could not be started.
        stdout: Its standard output, bounded.
        stderr: Its standard error, bounded.
        duration: Seconds from launch to reap.
        stopped: Why we ended it; None if it ended by itself.
        stopped_after: Seconds from launch to that decision.
        leaked: Descendants held its pipes after it had exited.
        leftovers: The programs that outlived it, as `name (pid)`; killed, or let live by
            `Limits.leftovers` and `Limits.keep`.
        unread_input: It closed its standard input, or exited, before it had read all of it.
        start_error: Why it could not be started.
    """

    exit_code: int
    stdout: Capture
    stderr: Capture
    duration: float = 0.0
    stopped: Detection | None = None
    stopped_after: float | None = None
    leaked: bool = False
    leftovers: tuple[str, ...] = ()
    unread_input: bool = False
    start_error: StartError | None = None


class Observer(Protocol):
    """Who looks on while a process runs, and may end it. A `Watch` is one."""

    def saw(self, stream: Stream, data: bytes, now: float) -> Detection | None:
        """Output came; a detection ends the process."""

    def due(self) -> float:
        """When `check` is to be asked next, on the loop's clock."""

    def check(self, now: float) -> Detection | None:
        """Time has passed; a detection ends the process."""

    def shift(self, seconds: float) -> None:
        """The process was paused for so long: the time counts for nothing."""


async def run_process(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
) -> ProcessResult:
    """Run a program to its end, within limits, and leave nothing of it behind.

    Args:
        command: The program and its arguments; no shell is involved.
        stdin: All of its standard input.
        cwd: Folder to run in; None is the current one.
        env: Its whole environment; None inherits ours.
        limits: Time and output.

    Returns:
        What became of it, also when it could not be started.

    Raises:
        InvalidTaskError: The command, the environment or a limit cannot be used at all.
        asyncio.CancelledError: After the process and its group have ended.
    """
    timeout = positive_seconds("timeout", limits.timeout)
    watch = Watch(WatchRules(timeout, timeout), asyncio.get_running_loop().time())
    return await run_observed(command, watch, stdin=stdin, cwd=cwd, env=env, limits=limits)


async def run_observed(
    command: Sequence[str],
    observer: Observer,
    *,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
) -> ProcessResult:
    """Like `run_process`, but `observer` alone decides when the process has had its time."""
    _validate(command, env)
    argv = [*_IN_NAMESPACE, *command] if limits.isolation == "pid-namespace" else command
    child = _Child(observer, stdin, limits)
    try:
        for pause in _RESOURCE_PAUSES:
            try:
                child.launch(argv, cwd, env)
                break
            except OSError as error:
                if error.errno not in _NO_RESOURCES:
                    raise
                await asyncio.sleep(pause)
        else:
            child.launch(argv, cwd, env)
    except OSError as error:
        return ProcessResult(
            exit_code=-1,
            stdout=child.captures["stdout"],
            stderr=child.captures["stderr"],
            start_error=_explain(error, command[0], cwd, env),
        )
    return await child.ended()


_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)

# Seconds between tries to start when descriptors or processes have run out, 6.35 together: others
# end meanwhile, so that fewer run at once.
_RESOURCE_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

# The shell is process 1 of the namespace, which every signal but KILL from outside passes by; it
# stays because of its second command, and its end is the end of everything inside.
_IN_NAMESPACE = (
    *("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child=KILL"),
    *("--mount-proc", "--", "sh", "-c", '"$@"; exit $?', "sh"),
)


def _validate(command: Sequence[str], env: Mapping[str, str] | None) -> None:
    """Refuse what no process can be started with.

    Raises:
        InvalidTaskError: An empty command, a NUL byte, an unencodable character, or a variable
            name that is empty or holds `=`.
    """
    if isinstance(command, str) or not command or not command[0]:
        raise InvalidTaskError("command", "needs a program, as a sequence of strings")
    for text in command:
        _encodable("command", text)
    for name, value in (env or {}).items():
        if not name or "=" in name:
            raise InvalidTaskError("env", f"{name!r} cannot be the name of a variable")
        _encodable("env", name)
        _encodable("env", value)


def _encodable(field: str, text: str) -> None:
    try:
        encoded = os.fsencode(text)
    except (UnicodeEncodeError, TypeError) as error:
        raise InvalidTaskError(field, f"{text!r} cannot be passed to a program") from error
    if b"\0" in encoded:
        raise InvalidTaskError(field, f"{text!r} holds a NUL byte")


def _explain(
    error: OSError, program: str, cwd: str | None, env: Mapping[str, str] | None
) -> StartError:
    """Tell the ways a start can fail apart, with the way out of each."""
    if cwd is not None and not os.path.isdir(cwd):
        return StartError("missing_cwd", f"cannot start {program}: no folder {cwd}; create it")
    located = os.path.join(cwd, program) if cwd is not None and os.sep in program else program
    path = shutil.which(located, path=None if env is None else env.get("PATH"))
    match error.errno:
        case errno.ENOENT if path is None:
            return StartError(
                "not_found",
                f"{program} not found; install it, put its folder on PATH or give its full path",
            )
        case errno.ENOENT:
            return StartError(
                "bad_interpreter",
                f"{path} names an interpreter in its first line that is not there; install it",
            )
        case errno.EACCES | errno.EPERM | errno.ENOTDIR:
            return StartError(
                "not_executable", f"{program} is not executable; try: chmod +x {program}"
            )
        case errno.ENOEXEC:
            return StartError(
                "wrong_format",
                f"{path or program} is no program for this machine; a script needs a first line "
                "such as #!/bin/sh",
            )
        case errno.E2BIG:
            return StartError(
                "too_long",
                f"cannot start {program}: arguments and environment are too large; "
                "pass long text through standard input",
            )
        case number if number in _NO_RESOURCES:
            return StartError(
                "no_resources",
                f"cannot start {program}: {error.strerror}; run fewer at once or raise the limit",
            )
        case _:
            return StartError("other", f"cannot start {program}: {error.strerror or error}")


class _Child:
    """One running process; every method runs on the event loop."""

    launched = 0

    def __init__(self, observer: Observer, stdin: bytes, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._observer = observer
        self._limits = limits
        self.captures: dict[Stream, Capture] = {
            "stdout": Capture(limits.output_bytes),
            "stderr": Capture(limits.stderr_bytes),
        }
        self._input = memoryview(stdin)
        self._feed: int | None = None
        self._outputs: dict[int, Stream] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._exited = False
        self._leaked = False
        self._stopped: Detection | None = None
        self._stopped_at = 0.0
        self._exit_code = -1
        self._leftovers: list[descendants.Process] = []
        self._strays: list[descendants.Process] = []
        self._supervisor = get_supervisor()

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
            if self._input:
                reader, writer = os.pipe()
                ours.append(writer)
                theirs.append(reader)
            for descriptor in ours:
                os.set_blocking(descriptor, False)
            self._popen = subprocess.Popen(
                command,
                stdin=theirs[2] if self._input else subprocess.DEVNULL,
                stdout=theirs[0],
                stderr=theirs[1],
                cwd=cwd,
                env=self._marked(env),
                start_new_session=True,
            )
            _Child.launched = self._launch = _Child.launched + 1
            self._slot = self._supervisor.enter(self._popen.pid)
            try:
                self._exit = _ExitNotice(self._popen.pid, self._loop, self._on_exit)
            except BaseException:
                self._signal(signal.SIGKILL)
                self._popen.wait()
                self._supervisor.leave(self._slot)
                raise
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
            self._loop.add_reader(descriptor, self._on_readable, descriptor)
        self._arm(self._observer.due(), self._on_due)
        if self._input:
            self._feed = ours[2]
            self._loop.add_writer(self._feed, self._on_writable)

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
                if cancelled is None:
                    self._terminate()
                else:
                    self._signal(signal.SIGKILL)
                cancelled = error
        if cancelled is not None:
            raise cancelled
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

    def _on_writable(self) -> None:
        assert self._feed is not None
        try:
            self._input = self._input[os.write(self._feed, self._input) :]
        except BlockingIOError:
            return
        except OSError:
            # The reader has gone (EPIPE): whether that matters is for its exit to say.
            self._close_feed()
            return
        if not self._input:
            self._close_feed()

    def _close_feed(self) -> None:
        if self._feed is not None:
            self._loop.remove_writer(self._feed)
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
            self._stop_if(self._observer.saw(stream, data, self._loop.time()))
            # A short read means an empty pipe; once the process is gone its end may follow.
            if len(data) < _READ_SIZE and not self._exited:
                return

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    # Stop

    def _arm(self, when: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, callback)

    def _on_due(self) -> None:
        self._stop_if(self._observer.check(self._loop.time()))
        if self._stopped is None:
            self._arm(self._observer.due(), self._on_due)

    def _stop_if(self, detection: Detection | None) -> None:
        if detection is not None and self._stopped is None and not self._exited:
            self._stopped = detection
            self._stopped_at = self._loop.time()
            self._terminate()

    def _terminate(self) -> None:
        """TERM to the group, and CONT so that a stopped one can obey; KILL after the grace."""
        if self._exited:
            return
        # Those that left the group are asked as well. Who scrubbed its environment is known now,
        # while its line of parents still leads here, and not any more later.
        everyone = list(descendants.processes(self._popen.pid))
        self._strays = [
            process
            for process in descendants.line_of(self._popen.pid, everyone)
            if process.group != self._popen.pid and not self._spares(process)
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
            os.killpg(self._popen.pid, number)

    def pause(self) -> None:
        """Stop the group, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self, paused: float) -> None:
        """Continue the group; the `paused` seconds count for nothing."""
        self._signal(signal.SIGCONT)
        self._started += paused
        self._observer.shift(paused)

    # End

    def _on_exit(self) -> None:
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
        return self._popen.returncode is not None

    def _finish(self) -> None:
        """End what is left, reap the leader, wake the waiter."""
        if self._timer is not None:
            self._timer.cancel()
        if self._strays or self._somebody_forked():
            self._end_leftovers()
        for descriptor in list(self._outputs):
            self._close_output(descriptor)
        self._popen.returncode = self._exit_code = self._reap()
        self._supervisor.leave(self._slot)
        _running.discard(self)
        if not self._done.done():
            self._done.set_result(None)

    def _somebody_forked(self) -> bool:
        """Whether any process was started since our leader, apart from leaders of ours."""
        started = descendants.last_process_id() - self._popen.pid
        return started != _Child.launched - self._launch

    def _end_leftovers(self) -> None:
        spared: set[int] = set()
        for process in self._descendants():
            if self._spares(process):
                spared.add(process.pid)
                self._supervisor.keep(process.pid)
            self._leftovers.append(process)
        if not spared:
            self._signal(signal.SIGKILL)
        descendants.end_all(
            lambda: [left for left in self._descendants() if left.pid not in spared]
        )

    def _spares(self, process: descendants.Process) -> bool:
        return self._limits.leftovers == "report" or process.name in self._limits.keep

    def _descendants(self) -> list[descendants.Process]:
        """Those of the group, those that bear our word, those seen before, and all below them."""
        leader = self._popen.pid
        known = {(stray.pid, stray.started) for stray in self._strays}
        everyone = list(descendants.processes(leader))
        found = {
            process.pid: process
            for process in everyone
            if process.group == leader
            or (process.pid, process.started) in known
            or descendants.bears(process, self._word)
        }
        for pid in list(found):
            found.update((below.pid, below) for below in descendants.line_of(pid, everyone))
        # A leader that is still seen is no longer ours: a stranger got its id.
        return [process for process in found.values() if process.pid != leader]

    def _reap(self) -> int:
        try:
            _, status = os.waitpid(self._popen.pid, 0)
        except ChildProcessError:
            # SIGCHLD is ignored here, or somebody reaps whatever ends.
            status = self._exit.lost_status()
        finally:
            self._exit.close()
        return os.waitstatus_to_exitcode(status)


_running: set[_Child] = set()


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


if sys.platform == "darwin":

    class _ExitNotice:
        """Calls back on the loop when a child has exited, without reaping it (kqueue)."""

        def __init__(
            self, pid: int, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]
        ) -> None:
            self._loop = loop
            self._queue = select.kqueue()
            event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            loop.add_reader(self._queue.fileno(), callback)
            try:
                self._queue.control([event], 0)
            except ProcessLookupError:
                # It was faster than we were: a zombie cannot be watched any more.
                loop.call_soon(callback)
            except BaseException:
                self.stop()
                self.close()
                raise

        def stop(self) -> None:
            """Call back no more."""
            self._loop.remove_reader(self._queue.fileno())

        def lost_status(self) -> int:
            """The wait status of a child that somebody else reaped: not to be had here."""
            return _UNKNOWN_STATUS

        def close(self) -> None:
            """Let go of the child."""
            self._queue.close()

else:

    class _ExitNotice:
        """Calls back on the loop when a child has exited, without reaping it (pidfd)."""

        def __init__(
            self, pid: int, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]
        ) -> None:
            self._loop = loop
            self._descriptor = os.pidfd_open(pid)
            loop.add_reader(self._descriptor, callback)

        def stop(self) -> None:
            """Call back no more."""
            self._loop.remove_reader(self._descriptor)

        def lost_status(self) -> int:
            """The wait status of a child that somebody else reaped (Linux 6.15 and newer)."""
            info = bytearray(_PIDFD_INFO.size)
            _PIDFD_INFO.pack_into(info, 0, _PIDFD_INFO_EXIT, 0)
            try:
                fcntl.ioctl(self._descriptor, _PIDFD_GET_INFO, info)
            except OSError:
                return _UNKNOWN_STATUS
            mask, status = _PIDFD_INFO.unpack(info)
            return int(status) if mask & _PIDFD_INFO_EXIT else _UNKNOWN_STATUS

        def close(self) -> None:
            """Let go of the child."""
            os.close(self._descriptor)


# linux/pidfd.h: struct pidfd_info begins with a mask and ends, in its first version of 64 bytes,
# with the wait status.
_PIDFD_INFO = struct.Struct("Q52xi")
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_GET_INFO = 3 << 30 | _PIDFD_INFO.size << 16 | 0xFF << 8 | 11

# Exit code 255: nobody knows how it ended, so that it cannot pass for a success.
_UNKNOWN_STATUS = 255 << 8
