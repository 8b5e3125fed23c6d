"""What every runner promises when a client, or who is to end its agents, is killed or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from aurora_spawner import SpawnResult, SpawnTask, spawn

from .client import start_client
from .conftest import Opened
from .machines import SLOTS, until
from .standing import Standing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only groups end")

AT_ONCE = 2 * SLOTS
COUNT = 3 * AT_ONCE

Client: TypeAlias = Callable[[tuple[str, ...]], "subprocess.Popen[bytes]"]


@pytest.fixture
def client(address: str | None) -> Iterator[Client]:
    """Starts clients that run a command `COUNT` times, `AT_ONCE` at once, and end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        # A cluster is asked for all of them: there those wait that have no slot.
        at_once = AT_ONCE if address is None else COUNT
        started.append(start_client(address, COUNT, at_once, command))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def after(opened: Opened) -> SpawnResult:
    """The result of a task of the next client."""

    async def main() -> SpawnResult:
        async with opened() as runner:
            return await spawn(SpawnTask("next", command=("cat",)), runner=runner)

    return asyncio.run(main())


def test_a_killed_client_leaves_nothing_running(
    client: Client, opened: Opened, tmp_path: Path
) -> None:
    """F26: after SIGKILL to the client its agents end, and those that waited never begin."""
    agents = Standing(tmp_path / "agents")
    killed = client(agents.command())
    until(lambda: agents.begun() == AT_ONCE)
    assert agents.alive() == 2 * AT_ONCE
    killed.kill()
    until(lambda: agents.alive() == 0)
    assert after(opened).output == "next"
    assert (agents.begun(), agents.alive()) == (AT_ONCE, 0)


def test_a_client_that_stands_still_loses_nothing(client: Client, tmp_path: Path) -> None:
    """F29: agents end while their client is stopped; when it goes on it has the result of each
    task, in order, and each has run once."""
    agents = Standing(tmp_path / "agents")
    stopped = client(agents.command())
    until(lambda: agents.begun() == AT_ONCE)
    stopped.send_signal(signal.SIGSTOP)
    agents.go()
    # Where the client is the one to end daemons, those stay meanwhile.
    until(lambda: agents.alive() <= AT_ONCE)
    assert stopped.poll() is None
    stopped.send_signal(signal.SIGCONT)
    answered, _ = stopped.communicate(timeout=60)
    prompts = [output.split()[1] for output, _ in json.loads(answered)]
    assert prompts == [str(number) for number in range(COUNT)]
    assert (agents.begun(), agents.alive()) == (COUNT, 0)


def helper_of(pid: int) -> int | None:
    """The process that is to end what this one has started: it reads a pipe that this one holds."""
    held = _targets(f"/proc/{pid}/fd/*")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lifeline" in words[:6] and held & _targets(f"{process}/fd/0"):
            return int(process.name)
    return None


def replace_helper(pid: int) -> None:
    """Kill that helper, and wait for the next one."""
    first = helper_of(pid)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: helper_of(pid) not in (None, first))


def _targets(links: str) -> set[str]:
    found = set()
    for link in glob.iglob(links):
        with contextlib.suppress(OSError):
            found.add(os.readlink(link))
    return found


def test_a_killed_helper_ends_nobody_and_its_successor_everybody(
    client: Client, address: str | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """F26: SIGKILL to the helper changes nothing; when those it looked after are killed in their
    turn, the next helper ends what they ran."""
    agents = Standing(tmp_path / "agents")
    killed = client(agents.command())
    until(lambda: agents.begun() == AT_ONCE)
    crew = [killed]
    if address is not None:
        crew = list(request.getfixturevalue("shared").workers.values())
    try:
        for each in crew:
            replace_helper(each.pid)
        assert agents.alive() == 2 * AT_ONCE
        for each in crew:
            each.kill()
            each.wait()
        until(lambda: agents.alive() == 0)
    finally:
        killed.kill()
        if address is not None:
            request.getfixturevalue("shared").have("first", "second")
    assert agents.begun() == AT_ONCE


@pytest.mark.parametrize("address", [None], ids=["local"])
def test_a_task_that_kills_who_runs_it_ends_the_run_once(client: Client, tmp_path: Path) -> None:
    """On this machine a poison task kills its client: that is told by its end, all agents end with
    it, and nobody begins again."""
    agents = Standing(tmp_path / "agents")
    poisoned = client(agents.command(then="kill -9 $PPID; sleep 60"))
    until(lambda: agents.begun() == AT_ONCE)
    agents.go()
    assert poisoned.wait(60) == -signal.SIGKILL
    until(lambda: agents.alive() == 0)
    assert agents.begun(poisoned.pid) == agents.begun() == AT_ONCE
