import asyncio
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurora_spawner import SpawnTask, spawn
from aurora_spawner.testing import FakeAgent, survivors

FAR_TOO_LONG = 30.0


def run(agent: FakeAgent, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        agent.argv(), input=stdin, capture_output=True, timeout=FAR_TOO_LONG, check=False
    )


def wait_for_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], FAR_TOO_LONG)[0], f"{pid} goes on"
    finally:
        os.close(descriptor)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """A file for process ids; what is recorded there is ended after the test."""
    path = tmp_path / "pids"
    yield path
    for pid in survivors(path):
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
    assert survivors(path) == ()


def test_without_steps_it_exits_at_once_and_says_nothing() -> None:
    """An agent without steps exits with 0, without output, and without reading its input."""
    ended = run(FakeAgent(), b"unread")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_steps_run_in_their_order() -> None:
    """Each step is done after the one before it, and nothing after an exit."""
    agent = FakeAgent().write("a").echo().write("b").exit(3).write("c")
    ended = run(agent, b"prompt")
    assert (ended.returncode, ended.stdout) == (3, b"apromptb")


def test_an_agent_is_a_value() -> None:
    """A step makes a new agent and leaves the one that it was asked of as it was."""
    base = FakeAgent().write("once")
    base.write("twice").exit(1)
    assert run(base).stdout == b"once"


def test_read_takes_only_what_it_was_told_to() -> None:
    """`read(n)` consumes n bytes, `read()` what is left."""
    assert run(FakeAgent().read(3).echo(), b"abcdef").stdout == b"def"
    assert run(FakeAgent().read().echo(), b"abcdef").stdout == b""


def test_any_bytes_can_be_written() -> None:
    """NUL, invalid UTF-8, escapes, newlines and percent signs arrive as they are."""
    odd = bytes(range(256)) + "\033[31mé€😀%41,\r\n".encode()
    ended = run(FakeAgent().write(odd).write(odd, to="stderr"))
    assert (ended.stdout, ended.stderr) == (odd, odd)


def test_a_cut_write_comes_in_two_chunks() -> None:
    """A write that is cut reaches a reader in two reads, cut where it was asked."""
    agent = FakeAgent().write("rate limit", to="stderr", cut=4, pause=0.2)
    with subprocess.Popen(agent.argv(), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        chunks = list(iter(lambda: os.read(process.stderr.fileno(), 100), b""))
    assert chunks == [b"rate", b" limit"]


@pytest.mark.parametrize("pattern", [b"x", b"a line\n", b"\0", b"\xff\xfe", b"%41"])
def test_fill_writes_exactly_that_many_bytes(pattern: bytes) -> None:
    """`fill` repeats its pattern and cuts the last one, so that the size is exact."""
    size = 200_003
    ended = run(FakeAgent().fill(size, pattern).fill(7, pattern, to="stderr"))
    assert ended.stdout == (pattern * size)[:size]
    assert ended.stderr == (pattern * 7)[:7]


def test_fill_needs_a_pattern() -> None:
    """An empty pattern would never end, and is refused before anything runs."""
    with pytest.raises(ValueError, match="pattern"):
        FakeAgent().fill(1, b"")


def test_progress_rewrites_one_line() -> None:
    """A progress bar is one line of carriage returns that ends at 100 %."""
    said = run(FakeAgent().progress(4, pause=0.0)).stderr
    assert said.count(b"\r") == 4
    assert said.endswith(b"100%\n")


def test_a_closed_output_ends_while_the_agent_goes_on() -> None:
    """After `close("stdout")` its reader meets the end, and the agent still does its steps."""
    agent = FakeAgent().write("a").close("stdout").read().exit(4)
    with subprocess.Popen(
        agent.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read() == b"a"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(FAR_TOO_LONG) == 4


def test_a_closed_input_breaks_the_pipe() -> None:
    """After `close("stdin")` who writes to it gets EPIPE."""
    agent = FakeAgent().close("stdin").write("closed").sleep(60)
    with subprocess.Popen(agent.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(6) == b"closed"
        with pytest.raises(BrokenPipeError):
            os.write(process.stdin.fileno(), b"prompt")
        process.kill()


def test_sleep_takes_its_time() -> None:
    """`sleep` lasts at least as long as it says."""
    started = time.monotonic()
    run(FakeAgent().sleep(0.1))
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL])
def test_it_dies_by_the_signal_that_it_is_told(number: signal.Signals) -> None:
    """`die` ends it by that signal, also by one that it ignored before."""
    agent = FakeAgent() if number == signal.SIGKILL else FakeAgent().ignore(number)
    assert run(agent.die(number)).returncode == -number


def test_an_ignored_signal_does_nothing() -> None:
    """After `ignore`, TERM does not end it."""
    agent = FakeAgent().ignore(signal.SIGTERM).write("ready").read().exit(5)
    with subprocess.Popen(agent.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.read(5) == b"ready"
        process.terminate()
        process.stdin.close()
        assert process.wait(FAR_TOO_LONG) == 5


def test_a_stopped_agent_goes_on_when_it_is_told_to() -> None:
    """`stop` halts it until CONT."""
    with subprocess.Popen(FakeAgent().stop().exit(6).argv()) as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.wait(FAR_TOO_LONG) == 6


def test_it_holds_the_memory_that_it_allocates() -> None:
    """`allocate` uses that much memory, not only its addresses."""
    process = subprocess.Popen(FakeAgent().allocate(50 * 2**20).argv())
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    assert used.ru_maxrss * 1024 > 50 * 2**20


def test_it_fails_the_first_times(tmp_path: Path) -> None:
    """`fail_first` counts over runs, and lets the steps after it happen from then on."""
    agent = FakeAgent().fail_first(2, tmp_path / "state, 100%", code=7, message="busy").write("ok")
    runs = [run(agent) for _ in range(4)]
    assert [ended.returncode for ended in runs] == [7, 7, 0, 0]
    assert [ended.stdout for ended in runs] == [b"", b"", b"ok", b"ok"]
    assert [ended.stderr for ended in runs] == [b"busy", b"busy", b"", b""]


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("setsid", [False, True])
@pytest.mark.parametrize("scrubbed", [False, True])
def test_what_it_forks_is_as_it_was_asked(
    pids: Path, double: bool, setsid: bool, scrubbed: bool
) -> None:
    """A forked process has the session, the parent and the environment that it was to have."""
    agent = (
        FakeAgent()
        .record_pids(pids)
        .fork(setsid=setsid, double=double, scrubbed=scrubbed, quiet=True)
        .write("forked")
        .read()
    )
    environment = {**os.environ, "FAKE_AGENT_MARK": "here"}
    with subprocess.Popen(
        agent.argv(), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(6) == b"forked"
        own, forked = survivors(pids)
        assert own == process.pid
        assert (os.getsid(forked) != os.getsid(own)) is setsid
        assert (os.getpgid(forked) != os.getpgid(own)) is setsid
        parent = int(Path(f"/proc/{forked}/stat").read_text().rpartition(")")[2].split()[1])
        assert (parent != own) is double
        seen = Path(f"/proc/{forked}/environ").read_bytes()
        assert (b"FAKE_AGENT_MARK" not in seen) is scrubbed


def test_what_it_forks_holds_its_pipes_unless_it_is_quiet(pids: Path) -> None:
    """A forked process keeps the agent's streams open, a daemon does not."""
    agent = FakeAgent().record_pids(pids).daemon().exit(0)
    assert run(agent).stdout == b""
    assert len(survivors(pids)) == 1

    holding = FakeAgent().record_pids(pids).fork().exit(0)
    with subprocess.Popen(holding.argv(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.wait(FAR_TOO_LONG) == 0
        os.set_blocking(process.stdout.fileno(), False)
        with pytest.raises(BlockingIOError):
            os.read(process.stdout.fileno(), 1)


@pytest.mark.parametrize("scrubbed", [False, True])
def test_forked_agents_have_steps_of_their_own(pids: Path, scrubbed: bool) -> None:
    """A forked agent does its own steps, forks too, and all of them are recorded."""
    below = FakeAgent().fork(quiet=True).write("%61\n").sleep(60)
    agent = FakeAgent().record_pids(pids).fork(below, scrubbed=scrubbed).sleep(60)
    with subprocess.Popen(agent.argv(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"%61\n"
        assert len(survivors(pids)) == 3
        for pid in survivors(pids):
            os.kill(pid, signal.SIGKILL)


def test_survivors_leaves_out_zombies_and_strangers(pids: Path, tmp_path: Path) -> None:
    """One that has ended, reaped or not, is no survivor, nor is who has its id by now."""
    with subprocess.Popen(FakeAgent().record_pids(pids).argv()) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert survivors(pids) == ()
    stranger = tmp_path / "stranger"
    stranger.write_text(f"{os.getpid()} 1\n")
    assert survivors(stranger) == ()


def test_an_installed_agent_is_a_program(tmp_path: Path) -> None:
    """`install` writes a file that can be started by its name and ignores its arguments."""
    script = FakeAgent().write("it's %d\n").exit(2).install(tmp_path / "claude")
    ended = subprocess.run([script, "-p", "--verbose"], stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (2, b"it's %d\n")


def test_a_task_can_run_it() -> None:
    """Its command is what `SpawnTask.command` takes."""
    task = SpawnTask("hello", command=FakeAgent().echo().exit(3).argv())
    result = asyncio.run(spawn(task))
    assert (result.exit_code, result.output) == (3, "hello")
