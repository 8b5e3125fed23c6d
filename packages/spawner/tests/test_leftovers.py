"""What agents leave running: found, named and ended, or let live where that is wanted."""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from aurora_spawner import Limits, Policy, ProcessResult, SpawnTask, run_process, spawn
from aurora_spawner.detection import Watch, WatchRules
from aurora_spawner.process import run_observed
from aurora_spawner.supervisor import get_supervisor
from aurora_spawner.testing import FakeAgent, no_leaks, survivors
from aurora_spawner.testing.proc import is_running

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc: elsewhere only groups end")
pytestmark = linux


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that happens outside the loop."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


LEAVERS = {
    "in the same group": FakeAgent().fork(quiet=True),
    "in the same group, with the pipes": FakeAgent().fork(),
    "in its own session": FakeAgent().fork(setsid=True),
    "a daemon": FakeAgent().daemon(),
    "a daemon with a child": FakeAgent().fork(
        FakeAgent().fork(scrubbed=True, quiet=True).sleep(60.0),
        setsid=True,
        double=True,
        quiet=True,
    ),
}


@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.parametrize("kind", LEAVERS)
async def test_f20_to_f22_leftovers_end_with_the_agent(kind: str, pids: Path) -> None:
    """F20, F21, F22: whatever way a descendant outlives its agent, it is named and killed, and the
    output is kept."""
    agent = FakeAgent().record_pids(pids)
    agent = FakeAgent((*agent.steps, *LEAVERS[kind].steps)).write("answer")
    with no_leaks():
        ended = await run_process(agent.argv())
    assert (ended.exit_code, ended.stdout.text()) == (0, "answer")
    assert survivors(pids) == ()
    assert ended.leftovers
    assert ended.leaked is ("pipes" in kind or "session" in kind)


@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.parametrize("how", ["timeout", "cancelled"])
@pytest.mark.parametrize("scrubbed", [False, True])
async def test_f23_a_stubborn_tree_ends(how: str, scrubbed: bool, pids: Path) -> None:
    """F21, F23: a tree whose members ignore TERM, in sessions of their own, with scrubbed
    environments, is gone when the call ends."""
    stubborn = FakeAgent().ignore().sleep(60.0)
    agent = FakeAgent().record_pids(pids).ignore()
    agent = agent.fork(stubborn, setsid=True, scrubbed=scrubbed).write("up").sleep(60.0)
    up = asyncio.Event()

    class Onlooker(Watch):
        def saw(self, stream: str, data: bytes, now: float) -> None:
            up.set()

    limits = Limits(grace=0.1)
    timeout = 1.0 if how == "timeout" else 60.0
    onlooker = Onlooker(WatchRules(timeout, timeout), asyncio.get_running_loop().time())
    call = asyncio.create_task(run_observed(agent.argv(), onlooker, limits=limits))
    await up.wait()
    if how == "cancelled":
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    else:
        ended = await call
        assert ended.stopped is not None
        assert ended.exit_code == -signal.SIGKILL
    assert survivors(pids) == ()


@pytest.mark.asyncio(loop_factories=["real"])
async def test_f22_a_namespace_holds_even_a_scrubbed_daemon(pids: Path) -> None:
    """F22: in a PID namespace of its own an agent cannot leave anything behind at all."""
    probe = ["unshare", "--user", "--map-current-user", "--pid", "--fork", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, check=False).returncode:
        pytest.skip("this machine allows no PID namespaces")
    # Ids inside the namespace are others, so the daemon says that it lives by holding a pipe.
    alive, held = os.pipe()
    os.set_inheritable(held, True)
    script = f"(env -i setsid sleep 60 >/dev/null 2>&1 {held}>&{held} &); cat; exit 3"
    process = run_process(
        ["sh", "-c", script], stdin=b"hi", limits=Limits(isolation="pid-namespace")
    )
    ended = await process
    os.close(held)
    assert (ended.exit_code, ended.stdout.text()) == (3, "hi")
    os.set_blocking(alive, False)
    assert os.read(alive, 1) == b"", "the daemon still holds the pipe"
    os.close(alive)


@pytest.mark.asyncio(loop_factories=["real"])
@pytest.mark.parametrize("allowed", ["report", "keep"])
async def test_f70_what_is_wanted_lives_on(allowed: str, pids: Path) -> None:
    """F70: with `leftovers="report"`, or on the list of what to keep, a daemon that the agent was
    first to start lives on, and the result names it."""
    name = Path(sys.executable).resolve().name[:15]
    policy = Policy(leftovers="report") if allowed == "report" else Policy(keep=(name, "python"))
    agent = FakeAgent().record_pids(pids).daemon()
    result = await spawn(SpawnTask("", command=agent.argv(), policy=policy))
    assert result.success
    (kept,) = survivors(pids)
    assert result.leftovers == (f"{result.leftovers[0].partition(' ')[0]} ({kept})",)
    os.kill(kept, signal.SIGKILL)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_f70_by_default_it_is_killed_and_named(pids: Path) -> None:
    """F70: without a word about it a daemon is killed, and the result names it all the same."""
    agent = FakeAgent().record_pids(pids).daemon()
    result = await spawn(SpawnTask("", command=agent.argv()))
    assert survivors(pids) == ()
    assert len(result.leftovers) == 1


ORCHESTRATOR = """
import asyncio, os, sys
from aurora_spawner import SpawnTask, spawn_parallel
async def main():
    agents = [SpawnTask("", command=command.split("\\x1f")) for command in sys.argv[1:]]
    await spawn_parallel(agents, max_concurrent=9)
asyncio.run(main())
"""


@pytest.mark.asyncio(loop_factories=["real"])
async def test_f26_killed_inside_a_program(pids: Path) -> None:
    """F26: when a program that uses the library dies by SIGKILL, its agents and their descendants,
    in sessions of their own and daemons too, are gone within a second."""
    agent = FakeAgent().record_pids(pids).fork(setsid=True).daemon().sleep(60.0)
    command = "\x1f".join(agent.argv())
    program = subprocess.Popen([sys.executable, "-c", ORCHESTRATOR, command, command, command])
    await until(lambda: pids.exists() and len(survivors(pids)) == 9)
    program.kill()
    program.wait()
    await until(lambda: not survivors(pids), seconds=1.0)


@pytest.mark.asyncio(loop_factories=["real"])
async def test_the_helper_is_restarted(caplog: pytest.LogCaptureFixture) -> None:
    """A helper that was killed is replaced, and told of, while the loop still runs."""
    supervisor = get_supervisor()
    await run_process(["true"])

    def helper() -> tuple[int, int] | None:
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if supervisor.word.encode() in words and b"lifeline" in words[:6]:
                    stat = (entry / "stat").read_text().rpartition(")")[2].split()
                    return int(entry.name), int(stat[19])
            except OSError:
                continue
        return None

    await until(lambda: helper() is not None)
    first = helper()
    assert first is not None
    os.kill(first[0], signal.SIGKILL)
    await until(lambda: not is_running(*first))
    await until(lambda: helper() not in (None, first))
    assert any("helper was killed" in record.getMessage() for record in caplog.records)
    with no_leaks():
        await run_process(["true"])


@pytest.fixture
def sigchld_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def in_a_thread(main: Callable[[], Awaitable[ProcessResult]]) -> ProcessResult:
    found: list[ProcessResult] = []

    async def run() -> ProcessResult:
        return await main()

    thread = threading.Thread(target=lambda: found.append(asyncio.run(run())))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.usefixtures("sigchld_ignored")
@pytest.mark.parametrize("script", ["exit 9", "sleep 0.05; exit 9"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_f31_sigchld_ignored(script: str, elsewhere: bool) -> None:
    """F31: where the program ignores SIGCHLD, on the main thread or another, the exit code is the
    true one, for fast and slow exits, and SIGCHLD stays ignored."""

    async def main() -> ProcessResult:
        return await run_process(["sh", "-c", script])

    ended = in_a_thread(main) if elsewhere else asyncio.run(main())
    assert ended.exit_code == 9
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN


@pytest.mark.asyncio(loop_factories=["real"])
async def test_f30_a_stranger_is_never_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    """F30: every group that is signalled is that of a leader which is not reaped yet."""
    signalled: list[str] = []
    killpg = os.killpg

    def watched(group: int, number: int) -> None:
        # Raises if our child of that id is reaped: then the id could be anybody's.
        state = Path(f"/proc/{group}/stat").read_text().rpartition(")")[2].split()
        assert int(state[1]) == os.getpid()
        signalled.append(state[0])
        killpg(group, number)

    monkeypatch.setattr(os, "killpg", watched)
    await run_process(["sh", "-c", "sleep 60 & exit 0"])
    await run_process(["sleep", "60"], limits=Limits(timeout=0.1))
    await run_process(["sh", "-c", "trap '' TERM; sleep 60"], limits=Limits(timeout=0.1, grace=0.1))
    assert len(signalled) >= 4


def test_f36_out_of_descriptors() -> None:
    """F36: with few descriptors left, tasks wait for others to end; all get done, none leaks."""

    async def main() -> list[ProcessResult]:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 16, before[1]))
        try:
            calls = [run_process(["sh", "-c", "sleep 0.1; echo done"]) for _ in range(12)]
            return await asyncio.gather(*calls)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    asyncio.run(_warm_up())
    with no_leaks():
        results = asyncio.run(main())
    assert [result.stdout.text() for result in results] == ["done\n"] * 12


async def _warm_up() -> None:
    """Let the supervisor open what it holds as long as the program lives."""
    await run_process(["true"])


@pytest.mark.asyncio(loop_factories=["real"])
async def test_f36_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """F36: where processes never become free again, the wait is bounded and the error says why."""
    monkeypatch.setattr("aurora_spawner.process.run._RESOURCE_PAUSES", (0.01, 0.01))

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    await _warm_up()
    with no_leaks():
        monkeypatch.setattr(subprocess, "Popen", refuse)
        ended = await run_process(["true"])
        monkeypatch.undo()
    assert ended.start_error is not None
    assert ended.start_error.kind == "no_resources"
    assert "fewer at once" in ended.start_error.message
