"""The process layer, with real child processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shlex
import signal
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from aurora_spawner import InvalidTaskError, Limits, ProcessResult, run_process
from aurora_spawner.detection import Detection
from aurora_spawner.failures import FailureType
from aurora_spawner.process import run_observed
from aurora_spawner.testing import FakeAgent

pytestmark = pytest.mark.asyncio(loop_factories=["real"])

# Longer than any test may take: what ends such a child is us.
FOREVER = "exec sleep 1000"


# What the kernel counts peaks in, bytes.
KIB = 1 if sys.platform == "darwin" else 1024


def sh(script: str, *args: object) -> list[str]:
    return ["sh", "-c", script, "sh", *map(str, args)]


def python(source: str, *args: object) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", source, *map(str, args)]


class Onlooker:
    """Never ends the process by itself; tells the test what was seen, and when."""

    def __init__(self, on_output: Callable[[bytes], Detection | None] | None = None) -> None:
        self.spoke = asyncio.Event()
        self.seen = b""
        self._on_output = on_output

    def saw(self, stream: str, data: bytes, now: float) -> Detection | None:
        self.seen += data
        self.spoke.set()
        return self._on_output(data) if self._on_output else None

    def due(self) -> float:
        return asyncio.get_running_loop().time() + 1000

    def check(self, now: float) -> Detection | None:
        return None

    def shift(self, seconds: float) -> None:
        pass


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def children() -> set[int]:
    """Processes whose parent we are, zombies too; Linux only, nothing elsewhere."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name before the last parenthesis may hold anything.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid():
                found.add(int(folder.name))
    return found


@pytest_asyncio.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """After every test of this file: no process, no descriptor, no timer more than before, and
    no callback that raised on the way."""
    loop = asyncio.get_running_loop()
    raised: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: raised.append(context))
    # What a first run may set up for all later ones is no leak.
    await run_process(["true"])
    before, were = descriptors(), children()
    yield
    # Fewer are no leak: other tests leave some to the garbage collector.
    assert descriptors() <= before
    assert children() <= were
    assert loop.pending_timers == []
    assert raised == []


class TestRunning:
    async def test_output_error_and_exit_code_come_back(self) -> None:
        """Standard output, standard error, exit code and duration are told apart."""
        ended = await run_process(sh("echo out; echo err >&2; exit 3"))
        assert ended.stdout.text() == "out\n"
        assert ended.stderr.text() == "err\n"
        assert ended.exit_code == 3
        assert ended.duration > 0
        assert (ended.stopped, ended.start_error, ended.leaked) == (None, None, False)

    async def test_the_memory_of_the_largest_process_is_told(self) -> None:
        """F73: a grandchild's peak counts, and it is the largest process and not the sum."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
        size = own + 40 * 2**20
        taking = shlex.join(FakeAgent().allocate(size).argv())
        ended = await run_process(sh(f"{taking}; {taking}; true"))
        assert ended.peak_memory is not None
        assert size < ended.peak_memory < size + 40 * 2**20
        small = (await run_process(["true"])).peak_memory
        assert small is not None
        assert small <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB

    async def test_input_reaches_the_program(self) -> None:
        """All of the input arrives, however much, and its end is told."""
        sent = bytes(range(256)) * 40_000
        ended = await run_process(["cat"], stdin=sent, limits=Limits(output_bytes=2 * len(sent)))
        assert bytes(ended.stdout) == sent
        assert not ended.unread_input

    async def test_without_input_standard_input_is_empty(self) -> None:
        """A program that reads is told the end at once, and never reads ours."""
        assert bytes((await run_process(["cat"])).stdout) == b""

    async def test_folder_and_environment(self, tmp_path: Path) -> None:
        """The program runs in the folder and with exactly the environment that it is given."""
        environment = {"PATH": os.environ["PATH"], "GREETING": "hello"}
        ended = await run_process(
            sh("pwd; echo $GREETING ${HOME-none}"), cwd=str(tmp_path), env=environment
        )
        assert ended.stdout.text() == f"{tmp_path}\nhello none\n"

    async def test_arguments_meet_no_shell(self) -> None:
        """Arguments arrive as they are, whatever a shell would make of them."""
        odd = ["$HOME", "a b", "*", "'", '"', ";", "", "-n", "ä\udcff"]
        ended = await run_process(
            python("import os, sys; print([*map(os.fsencode, sys.argv[1:])])", *odd)
        )
        assert ended.stdout.text() == f"{[os.fsencode(text) for text in odd]}\n"

    async def test_many_at_once_keep_their_own_output(self) -> None:
        """Processes that run side by side never see each other's input or output."""
        sent = [f"number {number}\n".encode() * 20_000 for number in range(12)]
        ended = await asyncio.gather(*(run_process(["cat"], stdin=data) for data in sent))
        assert [bytes(one.stdout) for one in ended] == sent

    async def test_its_group_is_its_own(self) -> None:
        """The program leads a session of its own, so that our terminal's signals miss it."""
        ended = await run_process(
            python("import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))")
        )
        assert ended.stdout.text() == "True\n"


class TestInput:
    async def test_f1_unread_prompt(self, lifeline) -> None:
        """F1: a child that never reads 10 MB of input is ended by its own timeout; meanwhile
        another one runs to its end."""
        stuck = asyncio.create_task(
            run_process(
                sh(f"exec 3>$1; echo up >&3; {FOREVER}", lifeline.path),
                stdin=b"x" * 10_000_000,
                limits=Limits(timeout=300),
            )
        )
        assert await lifeline.heard() == b"up\n"
        other = await run_process(["cat"], stdin=b"y" * 1_000_000)
        assert len(bytes(other.stdout)) == 1_000_000
        assert not stuck.done()
        asyncio.get_running_loop().skip(300)
        ended = await stuck
        assert ended.stopped == Detection("Timeout after 300s", FailureType.TIMEOUT)
        assert ended.unread_input

    async def test_f2_input_closed_early(self) -> None:
        """F2: a child that closes its input early is noted, its output kept, and its exit code
        decides."""
        ended = await run_process(sh("exec 0<&-; echo answer; exit 4"), stdin=b"x" * 1_000_000)
        assert ended.unread_input
        assert ended.stdout.text() == "answer\n"
        assert ended.exit_code == 4

    async def test_f2_input_closed_while_it_runs_on(self, gun, lifeline) -> None:
        """F2: after its input was closed the child goes on working."""
        running = asyncio.create_task(
            run_process(
                sh(
                    "exec 0<&- 3>$1; echo closed >&3; read go <$2; echo later",
                    lifeline.path,
                    gun.path,
                ),
                stdin=b"x" * 1_000_000,
            )
        )
        assert await lifeline.heard() == b"closed\n"
        gun.fire()
        ended = await running
        assert (ended.exit_code, ended.stdout.text()) == (0, "later\n")

    @pytest.mark.parametrize("code", [0, 7])
    async def test_f3_exit_while_the_prompt_is_written(self, code: int) -> None:
        """F3: when the child exits in the middle of its input, its exit code decides."""
        ended = await run_process(
            sh("head -c 100000 >/dev/null; echo enough; exit $1", code), stdin=b"x" * 10_000_000
        )
        assert ended.exit_code == code
        assert ended.stdout.text() == "enough\n"
        assert ended.unread_input


class TestOutput:
    async def test_f4_memory_is_bounded(self) -> None:
        """F4: of 200 MB the head and the tail are kept, the rest is counted to the byte, and
        memory stays bounded."""
        total = 200_000_000
        limits = Limits(output_bytes=4000, stderr_bytes=400)
        tracemalloc.start()
        try:
            ended = await run_process(
                sh("printf HEAD; head -c $1 /dev/zero; printf TAIL", total - 8), limits=limits
            )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert bytes(ended.stdout) == b"HEAD" + b"\0" * 3992 + b"TAIL"
        assert ended.stdout.dropped == total - 4000
        assert f"[... {total - 4000} bytes left out ...]" in ended.stdout.text()
        assert peak < 10_000_000

    async def test_f4_errors_are_bounded_too(self) -> None:
        """F4: standard error has a bound of its own."""
        ended = await run_process(
            sh("head -c 50000 /dev/zero >&2; echo END >&2"), limits=Limits(stderr_bytes=400)
        )
        assert len(bytes(ended.stderr)) == 400
        assert ended.stderr.dropped == 50_004 - 400
        assert bytes(ended.stderr).endswith(b"END\n")
        assert ended.stdout.dropped == 0

    async def test_f5_long_line(self) -> None:
        """F5: a line of 300 kB without a newline arrives whole."""
        ended = await run_process(sh("head -c 300000 /dev/zero | tr '\\0' x"))
        assert bytes(ended.stdout) == b"x" * 300_000

    async def test_f6_nul_bytes(self) -> None:
        """F6: NUL bytes are kept."""
        ended = await run_process(sh("printf 'a\\0b\\0'"))
        assert bytes(ended.stdout) == b"a\0b\0"
        assert ended.stdout.text() == "a\0b\0"

    async def test_f7_invalid_utf8(self) -> None:
        """F7: the bytes are kept as they are, and shown with U+FFFD."""
        ended = await run_process(sh("printf 'a\\377b'"))
        assert bytes(ended.stdout) == b"a\xffb"
        assert ended.stdout.text() == "a\N{REPLACEMENT CHARACTER}b"

    async def test_f8_character_split_across_reads(self, gun) -> None:
        """F8: a character whose bytes come in two reads is decoded whole."""
        reads: list[bytes] = []

        def on_output(data: bytes) -> None:
            reads.append(data)
            gun.fire()

        ended = await run_observed(
            sh("printf '\\342\\202'; read go <$1; printf '\\254'", gun.path), Onlooker(on_output)
        )
        assert reads == [b"\xe2\x82", b"\xac"]
        assert ended.stdout.text() == "€"

    async def test_f15_closed_output(self, lifeline, gun) -> None:
        """F15: a child that has closed its outputs is waited for until it exits."""
        running = asyncio.create_task(
            run_process(
                sh(
                    "echo said; exec 3>$1 1>&- 2>&-; echo closed >&3; read go <$2; exit 5",
                    lifeline.path,
                    gun.path,
                )
            )
        )
        assert await lifeline.heard() == b"closed\n"
        for _ in range(100):
            await asyncio.sleep(0)
        assert not running.done()
        gun.fire()
        ended = await running
        assert (ended.exit_code, ended.stdout.text(), ended.leaked) == (5, "said\n", False)

    async def test_f16_large_output_of_a_fast_exit(self) -> None:
        """F16: everything a process says just before it exits is kept."""
        ended = await run_process(sh("head -c 5000000 /dev/zero; printf END; echo bad >&2"))
        assert len(bytes(ended.stdout)) == 5_000_003
        assert bytes(ended.stdout).endswith(b"END")
        assert ended.stderr.text() == "bad\n"

    async def test_f16_exit_before_we_looked(self, lifeline) -> None:
        """F16: what stands in the pipes of a process that has long exited is read."""
        running = asyncio.create_task(
            run_process(
                sh("exec 3>$1; head -c 60000 /dev/zero; echo late >&2; exit 6", lifeline.path)
            )
        )
        await asyncio.sleep(0)
        lifeline.wait_until_gone()
        ended = await running
        assert bytes(ended.stdout) == b"\0" * 60_000
        assert (ended.stderr.text(), ended.exit_code) == ("late\n", 6)

    async def test_a_loud_child_does_not_starve_a_quiet_one(self) -> None:
        """While one child floods us another is served."""
        loud = asyncio.create_task(run_process(["yes"]))
        quiet = await run_process(sh("echo quiet"))
        assert quiet.stdout.text() == "quiet\n"
        assert not loud.done()
        loud.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loud


class TestEnding:
    @pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
    async def test_f17_death_by_signal(self, number: signal.Signals) -> None:
        """F17: the exit code of a process that died by a signal is minus its number."""
        ended = await run_process(sh("ulimit -c 0; echo last; kill -$1 $$", int(number)))
        assert ended.exit_code == -number
        assert ended.stdout.text() == "last\n"
        assert ended.stopped is None

    async def test_f18_timeout_keeps_the_output(self, lifeline) -> None:
        """F18: a timeout ends the process, says so, and keeps what it had said."""
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(
            run_process(
                sh(
                    f"echo partial; echo partial >&2; exec 3>$1; echo up >&3; {FOREVER}",
                    lifeline.path,
                ),
                limits=Limits(timeout=300),
            )
        )
        await lifeline.heard()
        loop.skip(300)
        ended = await running
        assert ended.stopped == Detection("Timeout after 300s", FailureType.TIMEOUT)
        assert ended.stopped_after >= 300
        assert ended.duration >= ended.stopped_after
        assert (ended.stdout.text(), ended.stderr.text()) == ("partial\n", "partial\n")
        assert ended.exit_code == -signal.SIGTERM

    async def test_the_observer_ends_it_by_what_it_saw(self) -> None:
        """A detection in the output ends the process at once, with that reason."""
        found = Detection("saw enough", FailureType.AUTH)
        ended = await run_observed(sh(f"echo start; {FOREVER}"), Onlooker(lambda _: found))
        assert ended.stopped == found
        assert ended.stdout.text() == "start\n"

    async def test_the_first_reason_stands(self, gun) -> None:
        """Later detections do not replace the reason why a process was ended."""
        reasons = [Detection(f"reason {number}", FailureType.CRASH) for number in range(3)]
        ended = await run_observed(
            sh("trap 'echo more; exit 9' TERM; echo start; read forever <$1", gun.path),
            Onlooker(lambda _: reasons.pop(0)),
        )
        assert ended.stopped is not None
        assert ended.stopped.reason == "reason 0"
        assert ended.stdout.text() == "start\nmore\n"
        assert ended.exit_code == 9

    async def test_f20_grandchild_holds_the_pipes(self, lifeline) -> None:
        """F20: a descendant that holds the pipes after the exit is waited for briefly, then
        killed; the output is kept and the result says `leaked`."""
        ended = await run_process(
            sh("exec 3>$1; echo up >&3; sleep 1000 & echo answer; exit 2", lifeline.path)
        )
        assert ended.leaked
        assert (ended.exit_code, ended.stdout.text()) == (2, "answer\n")
        await lifeline.gone()

    async def test_f20_the_drain_reads_on(self, gun) -> None:
        """F20: what a descendant still says within the drain is kept."""
        ended = await run_observed(
            sh("{ read go <$1; echo late; } & echo early", gun.path),
            Onlooker(lambda data: gun.fire() if data == b"early\n" else None),
            limits=Limits(drain=30),
        )
        assert ended.stdout.text() == "early\nlate\n"
        assert not ended.leaked

    async def test_silent_descendants_end_too(self, lifeline) -> None:
        """A descendant that holds no pipe is killed as well, without any wait."""
        ended = await run_process(
            sh("exec 3>$1; sleep 1000 >/dev/null 2>&1 </dev/null & echo answer", lifeline.path),
            limits=Limits(drain=30),
        )
        assert (ended.leaked, ended.stdout.text()) == (False, "answer\n")
        await lifeline.gone()

    async def test_f23_term_is_ignored(self, lifeline) -> None:
        """F23: a group that ignores TERM gets KILL after the grace."""
        ended = await run_observed(
            sh("trap '' TERM; exec 3>$1; sleep 1000 & echo up; wait", lifeline.path),
            Onlooker(lambda _: Detection("enough", FailureType.TIMEOUT)),
            limits=Limits(grace=0.05),
        )
        assert ended.exit_code == -signal.SIGKILL
        await lifeline.gone()

    async def test_f23_term_is_obeyed(self) -> None:
        """F23: within the grace a process may clean up and say its last words."""
        ended = await run_observed(
            python(
                "import signal, sys\n"
                "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(8)))\n"
                "print('up', flush=True)\n"
                "while True: signal.pause()"
            ),
            Onlooker(lambda data: Detection("enough", FailureType.TIMEOUT)),
            limits=Limits(grace=30),
        )
        assert (ended.exit_code, ended.stdout.text()) == (8, "up\nbye\n")

    async def test_f23_the_whole_group_is_told(self, lifeline, gun) -> None:
        """F23: TERM reaches descendants too, not the leader alone."""
        ended = await run_observed(
            sh(
                # The inner shell speaks once its trap stands.
                "exec 3>$1; "
                "sh -c 'trap \"echo told >&3; exit\" TERM; echo up; read it <$0' $2 & wait",
                lifeline.path,
                gun.path,
            ),
            Onlooker(lambda _: Detection("enough", FailureType.TIMEOUT)),
            limits=Limits(drain=30),
        )
        assert ended.stopped is not None
        assert await lifeline.heard() == b"told\n"

    @pytest.mark.skipif(not hasattr(os, "waitid"), reason="needs waitid to see a process stop")
    async def test_f24_stopped(self, lifeline) -> None:
        """F24: a stopped process is continued, so that it can obey TERM at its deadline."""
        running = asyncio.create_task(
            run_process(
                sh("exec 3>$1; echo $$ >&3; kill -STOP $$; sleep 1000", lifeline.path),
                limits=Limits(timeout=300, grace=30),
            )
        )
        pid = int(await lifeline.heard())
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        asyncio.get_running_loop().skip(300)
        ended = await running
        assert ended.exit_code == -signal.SIGTERM
        assert ended.stopped is not None


class TestCancellation:
    """F25: wherever it strikes, no process, no descriptor and no timer is left."""

    @pytest.mark.parametrize("steps", range(8))
    async def test_f25_at_any_step(self, steps: int, lifeline) -> None:
        """F25: cancelled after any number of steps of the loop, nothing is left running."""
        running = asyncio.create_task(
            run_process(
                sh(f"exec 3>$1; echo up >&3; echo up; {FOREVER}", lifeline.path),
                stdin=b"x" * 1_000_000,
            )
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        if steps > 1:
            # It may have been ended before it opened the pipe; if it did, it is gone.
            os.close(os.open(lifeline.path, os.O_WRONLY | os.O_NONBLOCK))
            await lifeline.gone()

    async def test_f25_while_it_runs(self, lifeline) -> None:
        """F25: a cancelled call ends the process and its group before it raises."""
        running = asyncio.create_task(
            run_process(sh("exec 3>$1; echo up >&3; sleep 1000 & wait", lifeline.path))
        )
        await lifeline.heard()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.gone()

    async def test_f25_while_leftovers_drain(self, lifeline) -> None:
        """F25: cancelled after the exit, while a descendant holds the pipes, it is killed too."""
        onlooker = Onlooker()
        running = asyncio.create_task(
            run_observed(
                sh("exec 3>$1; sleep 1000 3>&3 & echo $!; exit 0", lifeline.path),
                onlooker,
                limits=Limits(drain=0.2),
            )
        )
        await onlooker.spoke.wait()
        # The exit follows the output at once; both orders are right.
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.gone()

    async def test_f25_while_it_is_being_stopped(self, lifeline) -> None:
        """F25: cancelled in its grace, a process that ignores TERM is killed at the grace's end."""
        onlooker = Onlooker(lambda _: Detection("enough", FailureType.TIMEOUT))
        running = asyncio.create_task(
            run_observed(
                sh("trap '' TERM; exec 3>$1; echo up; sleep 1000", lifeline.path),
                onlooker,
                limits=Limits(grace=300),
            )
        )
        await onlooker.spoke.wait()
        running.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asyncio.get_running_loop().skip(300)
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.gone()

    async def test_f25_a_second_cancellation_does_not_wait(self, lifeline) -> None:
        """F25: the first cancellation asks with TERM; a second one kills without any grace."""
        running = asyncio.create_task(
            run_process(
                sh(
                    "trap '' TERM; exec 3>$1; echo up >&3; while :; do sleep 1; done", lifeline.path
                ),
                limits=Limits(grace=30),
            )
        )
        await lifeline.heard()
        for _ in range(2):
            running.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await running
        await lifeline.gone()

    async def test_f25_together_with_the_end(self) -> None:
        """F25: a cancellation that meets the process's own end still leaves as a cancellation."""
        onlooker = Onlooker()
        running = asyncio.create_task(run_observed(sh("echo done"), onlooker))
        await onlooker.spoke.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    async def test_f25_by_a_timeout_around_it(self, lifeline) -> None:
        """F25: `asyncio.timeout` around a run ends the process and raises TimeoutError."""

        async def limited() -> None:
            async with asyncio.timeout(300):
                await run_process(
                    sh(f"exec 3>$1; echo up >&3; {FOREVER}", lifeline.path),
                    limits=Limits(timeout=1000),
                )

        running = asyncio.create_task(limited())
        await lifeline.heard()
        asyncio.get_running_loop().skip(300)
        with pytest.raises(TimeoutError):
            await running
        await lifeline.gone()


class TestStarting:
    """F33 to F35, F37: what cannot be started says why, and nothing is left of the try."""

    @staticmethod
    async def start(*command: str, cwd: Path | None = None) -> ProcessResult:
        ended = await run_process(command, cwd=None if cwd is None else str(cwd))
        assert ended.exit_code == -1
        assert ended.start_error is not None
        assert (bytes(ended.stdout), bytes(ended.stderr)) == (b"", b"")
        return ended

    async def test_f33_five_distinct_errors(self, tmp_path: Path) -> None:
        """F33: not found, not executable, bad interpreter, wrong format and a missing folder are
        told apart, and each message names the path and the way out."""
        plain, odd, binary = (tmp_path / name for name in ("plain", "odd", "binary"))
        plain.write_text("#!/bin/sh\n")
        odd.write_text("#!/no/such/interpreter\n")
        binary.write_bytes(b"\x7fNOT A PROGRAM")
        for path in (odd, binary):
            path.chmod(0o755)
        folder = tmp_path / "none"
        tried = {
            "not_found": (await self.start("no-such-program"), "no-such-program", "install"),
            "not_executable": (await self.start(str(plain)), str(plain), "chmod"),
            "bad_interpreter": (await self.start(str(odd)), str(odd), "interpreter"),
            "wrong_format": (await self.start(str(binary)), str(binary), "#!/bin/sh"),
            "missing_cwd": (await self.start("true", cwd=folder), str(folder), "create"),
        }
        for kind, (ended, path, remedy) in tried.items():
            assert ended.start_error.kind == kind
            assert path in ended.start_error.message
            assert remedy in ended.start_error.message
        assert len({ended.start_error.message for ended, _, _ in tried.values()}) == 5

    async def test_f33_a_path_that_leads_nowhere(self, tmp_path: Path) -> None:
        """F33: a full path, and one relative to the folder, are not found by their own names."""
        for command, cwd in ((str(tmp_path / "none"), None), ("./none", tmp_path)):
            ended = await self.start(command, cwd=cwd)
            assert ended.start_error.kind == "not_found"
            assert command in ended.start_error.message

    async def test_f33_path_relative_to_the_folder(self, tmp_path: Path) -> None:
        """F33: a program named relative to its folder is looked for in that folder."""
        script = tmp_path / "odd"
        script.write_text("#!/no/such/interpreter\n")
        script.chmod(0o755)
        ended = await self.start("./odd", cwd=tmp_path)
        assert ended.start_error.kind == "bad_interpreter"

    async def test_f34_too_long(self) -> None:
        """F34: an argument or an environment that the system cannot take is told as such."""
        long = "x" * 3_000_000
        by_argument = await run_process(["true", long])
        by_environment = await run_process(["true"], env={**os.environ, "LONG": long})
        for ended in (by_argument, by_environment):
            assert ended.start_error is not None
            assert ended.start_error.kind == "too_long"
            assert "standard input" in ended.start_error.message
            assert len(ended.start_error.message) < 500

    @pytest.mark.parametrize(
        ("command", "env", "field"),
        [
            ([], None, "command"),
            ([""], None, "command"),
            ("true", None, "command"),
            (["true", "a\0b"], None, "command"),
            (["true", "\ud800"], None, "command"),
            (["true", 1], None, "command"),
            (["true"], {"": "x"}, "env"),
            (["true"], {"A=B": "x"}, "env"),
            (["true"], {"A\0": "x"}, "env"),
            (["true"], {"A": "x\0"}, "env"),
            (["true"], {"A": "\ud800"}, "env"),
            (["true"], {"A": None}, "env"),
        ],
        ids=repr,
    )
    async def test_f35_rejected_before_any_spawn(self, command, env, field: str) -> None:
        """F35: what no process can be started with is refused, and the field named."""
        with pytest.raises(InvalidTaskError) as caught:
            await run_process(command, env=env)
        assert caught.value.field == field

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "soon", None])
    async def test_f37_timeout(self, timeout, tmp_path: Path) -> None:
        """F37: a timeout that is no positive number of seconds is a ValueError, and nothing was
        started."""
        made = tmp_path / "made"
        with pytest.raises(ValueError, match="timeout"):
            await run_process(["touch", str(made)], limits=replace(Limits(), timeout=timeout))
        assert not made.exists()


async def test_f31_loop_in_another_thread() -> None:
    """F31: processes run, are fed, time out and are cancelled on a loop in any thread."""

    async def main() -> None:
        ended = await run_process(["cat"], stdin=b"from a thread")
        assert ended.stdout.text() == "from a thread"
        ended = await run_process(sh(FOREVER), limits=Limits(timeout=0.01))
        assert ended.stopped is not None
        running = asyncio.create_task(run_process(sh(FOREVER)))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    problems: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert problems == []
