"""The parts of the runner for clusters, each by itself; tests/cluster holds the whole together."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest

from aurora_spawner import (
    PRESETS,
    FailureType,
    InvalidTaskError,
    OutputLine,
    ProviderLimited,
    SpawnError,
    SpawnResult,
    SpawnTask,
    Warned,
    spawn,
    spawn_parallel,
)
from aurora_spawner.models import SpawnRequest
from aurora_spawner.testing import run_virtual

pytest.importorskip("distributed")

import psutil  # what Dask measures with

from aurora_spawner.errors import ClusterError
from aurora_spawner.runners.dask import DaskRunner
from aurora_spawner.runners.dask.addresses import checked_address
from aurora_spawner.runners.dask.host import Host
from aurora_spawner.runners.dask.laptop import local_cluster
from aurora_spawner.runners.dask.outbox import Outbox
from aurora_spawner.runners.dask.register import ENDED_TOPIC, Register
from aurora_spawner.runners.dask.window import Window
from aurora_spawner.runners.dask.wire import (
    events_from,
    misuse,
    read_request,
    read_result,
    told,
    write_request,
    write_result,
)

REQUEST = SpawnRequest(
    prompt="words\0 and \udc80 \N{PILE OF POO}",
    tool="command",
    agent="reviewer",
    model=None,
    command=("sh", "-c", "cat"),
    cwd="/somewhere",
    env=MappingProxyType({"A": "ä"}),
    timeout=12.5,
    policy=PRESETS["patient"],
    permissions="workspace-write",
    inherit=("PATH",),
)


# Addresses


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("localhost:8786", "tcp://localhost:8786"),
        ("tcp://127.3.2.1:8786", "tcp://127.3.2.1:8786"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
        ("tls://login.example.org:8786", "tls://login.example.org:8786"),
        ("wss://login.example.org:443", "wss://login.example.org:443"),
    ],
)
def test_loopback_and_tls_may_be_talked_to(address: str, whole: str) -> None:
    """A scheduler on this machine, or one behind TLS, is one that may be talked to."""
    assert checked_address(address) == whole


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1:8786",
        "tcp://login.example.org:8786",
        "ws://login.example.org:8786",
        "tcp://0.0.0.0:8786",
        "tcp://[2001:db8::1]:8786",
        "tcp://localhost.example.org:8786",
    ],
)
def test_an_open_network_has_to_be_trusted_aloud(address: str) -> None:
    """Without TLS a scheduler beyond loopback is refused, unless it is trusted."""
    with pytest.raises(InvalidTaskError, match=r"TLS.*SSH tunnel.*--trust-network"):
        checked_address(address)
    assert checked_address(address, trust_network=True).endswith(address)


@pytest.mark.parametrize("address", ["", "nonsense", "host:", ":8786", "tls://host", "host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """A text without host or port is refused with an example, trusted or not."""
    with pytest.raises(InvalidTaskError, match="tls://host:8786"):
        checked_address(address, trust_network=True)


def test_numbers_that_cannot_be_are_refused() -> None:
    """Fewer than no reruns, no worker or no slot is misuse."""
    for wrong in ({"reruns": -1}, {"workers": 0}, {"slots": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DaskRunner(**wrong)


def test_tls_without_certificates_names_the_settings() -> None:
    """A tls:// address without certificates fails at once, and names what to set."""

    async def main() -> None:
        async with DaskRunner("tls://127.0.0.1:1"):
            pass

    with pytest.raises(ClusterError, match="DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        asyncio.run(main())


# The wire


def test_a_request_comes_back_as_it_went() -> None:
    """Every field of a request, its policy included, is the same on the other side."""
    text = write_request(REQUEST)
    text.encode()
    assert read_request(text) == REQUEST


def test_a_request_of_another_version_is_refused() -> None:
    """What another version asks may mean something else: it is refused and both are named."""
    _, content = json.loads(write_request(REQUEST))
    with pytest.raises(SpawnError, match=r"client 0\.0\.1; install the same version"):
        read_request(json.dumps(["0.0.1", content]))


def test_a_result_comes_back_as_it_went() -> None:
    """Every field of a result is the same on the other side, and misuse is raised again."""
    result = SpawnResult(
        False, "\udc80", "no", 3, failure_type=FailureType.TIMEOUT, warnings=("a",), cost_usd=0.5
    )
    assert read_result(write_result(result)) == result
    with pytest.raises(SpawnError, match="no such thing"):
        read_result(misuse(SpawnError("no such thing")))


def test_events_come_back_as_they_went() -> None:
    """What an attempt tells is the same on the other side; what is not known there is left out."""
    events = [OutputLine("stderr", "é"), Warned("w"), ProviderLimited("claude", 2.0, True, "r")]
    assert list(events_from([*told(events), ["OfTheFuture", "{}"]])) == events


# The outbox


def test_events_travel_together_and_in_order() -> None:
    """Events of one moment are one delivery; what comes later is another, and nothing is lost."""
    delivered: list[list[str]] = []

    async def main() -> None:
        outbox = Outbox(lambda events: delivered.append([event.text for event in events]))  # type: ignore[union-attr]
        outbox.put(Warned("a"))
        outbox.put(OutputLine("stdout", "b"))
        await asyncio.sleep(1)
        outbox.put(Warned("c"))
        outbox.flush()
        outbox.flush()
        await asyncio.sleep(1)

    run_virtual(main())
    assert delivered == [["a", "b"], ["c"]]


def test_a_flood_of_lines_is_thinned_and_nothing_else() -> None:
    """Lines beyond 64 KiB in a twentieth of a second are left out, warnings never."""
    delivered: list[int] = []
    warned: list[str] = []

    async def main() -> None:
        def deliver(events: list[object]) -> None:
            delivered.append(
                sum(len(event.text) for event in events if isinstance(event, OutputLine))
            )
            warned.extend(event.text for event in events if isinstance(event, Warned))

        outbox = Outbox(deliver)  # type: ignore[arg-type]
        for _ in range(10_000):
            outbox.put(OutputLine("stdout", "x" * 99))
        outbox.put(Warned("careful"))
        await asyncio.sleep(1)
        outbox.put(OutputLine("stdout", "y" * 1_000_000))
        outbox.flush()

    run_virtual(main())
    assert 60_000 < delivered[0] <= 64 * 1024
    assert delivered[1:] == [1_000_000]
    assert warned == ["careful"]


# The window


def test_the_window_lets_in_two_for_each_slot_in_turn() -> None:
    """Two for each slot are inside; the next comes in when one leaves or when slots are added."""
    order: list[int] = []

    async def main() -> None:
        window = Window()
        leave = [asyncio.Event() for _ in range(8)]

        async def visit(number: int) -> None:
            await window.enter()
            order.append(number)
            await leave[number].wait()
            window.leave()

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(visit(number))
            await asyncio.sleep(1)
            assert order == []
            window.resize(2)
            await asyncio.sleep(1)
            assert order == [0, 1, 2, 3]
            leave[2].set()
            await asyncio.sleep(1)
            assert order == [0, 1, 2, 3, 4]
            window.resize(1)
            leave[0].set()
            leave[1].set()
            await asyncio.sleep(1)
            assert len(order) == 5
            window.resize(4)
            await asyncio.sleep(1)
            assert order == list(range(8))
            for event in leave:
                event.set()

    run_virtual(main())


def test_whoever_gives_up_waiting_takes_no_place() -> None:
    """One that is cancelled while it waits, or as it is let in, leaves its place to the next."""

    async def main() -> None:
        window = Window()
        first = asyncio.create_task(window.enter())
        second = asyncio.create_task(window.enter())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        window.resize(1)
        second.cancel()
        ended = await asyncio.gather(first, second, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        async with asyncio.timeout(1):
            await window.enter()
            await window.enter()

    run_virtual(main())


# The whole, on a cluster of this machine


def test_a_cluster_of_this_machine_runs_agents() -> None:
    """Without an address there is a cluster for as long as the block lasts, on loopback alone."""
    own = psutil.Process()
    # Other tests may have servers of their own.
    before = set(own.children(recursive=True))

    async def main() -> None:
        async with DaskRunner(slots=2) as runner:
            assert runner.slots == 2
            tasks = [SpawnTask(str(number), command=("cat",)) for number in range(6)]
            results = await spawn_parallel(tasks, 6, runner=runner)
            assert [result.output for result in results] == list("012345")
            listening = [
                socket.laddr.ip
                for process in (own, *(set(own.children(recursive=True)) - before))
                for socket in process.net_connections("tcp")
                if socket.status == psutil.CONN_LISTEN
            ]
            assert set(listening) == {"127.0.0.1"}
            # A scheduler, a worker and the one that restarts it.
            assert len(listening) >= 3
        with pytest.raises(SpawnError, match="not connected"):
            await spawn(tasks[0], runner=runner)

    asyncio.run(main())


def test_clusters_of_this_machine_stand_side_by_side() -> None:
    """A second one starts without a warning about ports that the first one has."""

    async def main() -> None:
        async with await local_cluster(0, 1) as first, await local_cluster(0, 1) as second:
            assert first.scheduler_address != second.scheduler_address

    asyncio.run(main())


def test_the_package_needs_no_cluster() -> None:
    """Neither the package nor its runners import `distributed`, or anything that it brings."""
    code = (
        "import sys, aurora_spawner, aurora_spawner.spawner, aurora_spawner.runners; "
        "print([n for n in ('distributed', 'dask', 'tornado') if n in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


# What stands beside scheduler and workers, where moments matter


class FakeScheduler:
    """As much of Dask's as the register meets."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}
        self.tasks: dict[str, Any] = {}
        self.workers: dict[str, Any] = {}
        self.released: list[str] = []
        self.said: list[Any] = []
        self._broker = SimpleNamespace(truncate=lambda topic: None)

    def client_releases_keys(self, keys: list[str], client: str) -> None:
        self.released += [f"{client} {key}" for key in keys]

    def log_event(self, topic: str, msg: Any) -> None:
        self.said.append(msg)


async def registered() -> tuple[FakeScheduler, Register]:
    register = Register()
    scheduler = FakeScheduler()
    await register.start(cast("Any", scheduler))
    return scheduler, register


def test_what_is_cancelled_before_it_is_known_never_begins() -> None:
    """F25: a cancellation that overtakes its own task is remembered until the task is there."""

    async def main() -> None:
        scheduler, register = await registered()
        await scheduler.handlers["aurora_gone"](key="k")
        client = SimpleNamespace(client_key="c")
        scheduler.tasks["k"] = SimpleNamespace(who_wants=[client])
        assert scheduler.handlers["aurora_begin"](key="k", worker="w", limit=3) == -1
        await asyncio.sleep(0)
        assert scheduler.released == ["c k"]
        register.transition("k", "processing", "forgotten")
        assert register._unwanted == {}

    run_virtual(main())


def test_a_request_begins_as_often_as_it_may() -> None:
    """Each begin counts, on whatever worker, until the scheduler forgets the task."""

    async def main() -> None:
        scheduler, register = await registered()
        scheduler.tasks["k"] = SimpleNamespace(who_wants=set())
        begin = scheduler.handlers["aurora_begin"]
        assert [begin(key="k", worker=f"w{n}", limit=2) for n in range(3)] == [0, 0, 2]
        register.transition("k", "processing", "forgotten")
        assert begin(key="k", worker="w", limit=2) == 0

    run_virtual(main())


def test_a_request_is_gone_when_it_runs_nowhere() -> None:
    """Whoever waits goes on once every worker it ran on has said so or was lost, and not before."""

    async def main() -> None:
        scheduler, register = await registered()
        scheduler.tasks["k"] = SimpleNamespace(who_wants=set())
        for worker in ("one", "two"):
            scheduler.handlers["aurora_begin"](key="k", worker=worker, limit=2)
        gone = asyncio.create_task(scheduler.handlers["aurora_gone"](key="k"))
        await asyncio.sleep(1)
        register.log_event(ENDED_TOPIC, ["k", "one"])
        await asyncio.sleep(1)
        assert not gone.done()
        register.remove_worker(cast("Any", scheduler), "two")
        await gone

    run_virtual(main())


def test_a_worker_that_is_cancelled_while_it_asks_says_that_it_ended() -> None:
    """F25: what the scheduler takes for begun is told to have ended, after its answer came."""

    async def main() -> None:
        steps: list[str] = []

        async def begin(**request: Any) -> int:
            await asyncio.sleep(1)
            steps.append("begun")
            return 0

        host = Host()
        host._worker = cast(
            "Any",
            SimpleNamespace(
                address="w",
                scheduler=SimpleNamespace(aurora_begin=begin),
                log_event=lambda topic, msg: steps.append(f"{topic} {msg}"),
            ),
        )
        asking = asyncio.create_task(host._ask("k", 1))
        await asyncio.sleep(0.5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert steps == ["begun", f"{ENDED_TOPIC} ['k', 'w']"]

    run_virtual(main())
