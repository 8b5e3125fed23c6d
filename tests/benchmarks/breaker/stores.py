"""Circuits that processes share: how many decisions a second, and how many round trips for one.

A turn is a check and a record: one question whether a caller may run, and one failure told. It
goes round a hundred circuits. Round trips are counted by the server, as the requests that it read:
its statistics of commands would also count what a script calls inside.
"""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from .libraries import NEVER, fail, fails, nothing

Figures = dict[str, float | str | None]

KEYS = [f"agent-{i}" for i in range(100)]


class NotHere(Exception):
    """Why a row cannot be measured."""


class Shared(Protocol):
    """Circuits of one library at one place that processes share."""

    def turn(self, key: str) -> None:
        """One check and one record."""

    def told(self) -> int | None:
        """How many failures the place knows of; None if it does not count them."""

    def call(self, key: str) -> None:
        """A guarded call that succeeds, or is refused."""

    def open(self, key: str) -> None:
        """Open a circuit, and return when everybody knows."""


class Aurora:
    """Told without a permit, an open circuit counts on: so all that is told can be counted."""

    def __init__(self, store: Any) -> None:
        from aurora_circuit_breaker import CircuitBreaker

        self._breaker = CircuitBreaker(reset_timeout=3600.0, store=store)

    def turn(self, key: str) -> None:
        self._breaker.should_skip(key)
        self._breaker.record_failure(key)

    def told(self) -> int:
        return sum(self._breaker.get_health_status(key)["failure_count"] for key in KEYS)

    def call(self, key: str) -> None:
        def guarded() -> None:
            with self._breaker.guard(key):
                nothing()

        fail(guarded)

    def open(self, key: str) -> None:
        self._breaker.record_failure(key)
        self._breaker.record_failure(key)


class AuroraSqlite(Aurora):
    def __init__(self, place: str) -> None:
        from aurora_circuit_breaker.stores.sqlite import SqliteStore

        super().__init__(SqliteStore(place))


class AuroraRedis(Aurora):
    def __init__(self, place: str) -> None:
        from aurora_circuit_breaker.stores.redis import RedisStore

        super().__init__(RedisStore(place))


class Pybreaker:
    def __init__(self, place: str) -> None:
        import pybreaker
        import redis

        client = redis.Redis.from_url(place)
        self._breakers = {
            key: pybreaker.CircuitBreaker(
                fail_max=NEVER,
                reset_timeout=3600,
                state_storage=pybreaker.CircuitRedisStorage(
                    pybreaker.STATE_CLOSED, client, namespace=key
                ),
            )
            for key in KEYS
        }

    def turn(self, key: str) -> None:
        fail(lambda: self._breakers[key].call(fails))

    def told(self) -> int:
        return sum(breaker.fail_counter for breaker in self._breakers.values())

    def call(self, key: str) -> None:
        fail(lambda: self._breakers[key].call(nothing))

    def open(self, key: str) -> None:
        self._breakers[key].open()


class Purgatory:
    """In its asynchronous form: the other one, in 3.0.1, makes an asynchronous client too."""

    def __init__(self, place: str) -> None:
        import asyncio

        import purgatory

        self._loop = asyncio.new_event_loop()
        self._factory = purgatory.AsyncCircuitBreakerFactory(
            default_threshold=NEVER, default_ttl=3600.0, uow=purgatory.AsyncRedisUnitOfWork(place)
        )
        self._loop.run_until_complete(self._factory.initialize())

    def _guard(self, key: str, work: Callable[[], None], threshold: int = NEVER) -> None:
        async def guarded() -> None:
            async with await self._factory.get_breaker(key, threshold=threshold):
                work()

        fail(lambda: self._loop.run_until_complete(guarded()))

    def turn(self, key: str) -> None:
        self._guard(key, fails)

    def told(self) -> int:
        async def count() -> int:
            breakers = [await self._factory.get_breaker(key) for key in KEYS]
            return sum(breaker.context.failure_count or 0 for breaker in breakers)

        return self._loop.run_until_complete(count())

    def call(self, key: str) -> None:
        self._guard(key, nothing)

    def open(self, key: str) -> None:
        self._guard(key, fails, threshold=1)


class Interlock:
    """Counts failures in each process alone, and writes behind the caller's back."""

    def __init__(self, place: str) -> None:
        import interlock
        import redis
        from interlock.integrations.redis import RedisStorage

        self._breakers = {
            key: interlock.CircuitBreaker(
                name=key,
                config=interlock.Config(wait_duration_in_open=3600.0, minimum_number_of_calls=2),
                storage=RedisStorage(redis.Redis.from_url(place)),
            )
            for key in KEYS[:2]  # each has a thread that polls
        }

    def turn(self, key: str) -> None:
        raise NotImplementedError

    def told(self) -> None:
        return None

    def call(self, key: str) -> None:
        fail(lambda: self._breakers[key].call_sync(nothing))

    def open(self, key: str) -> None:
        for _ in range(2):
            fail(lambda: self._breakers[key].call_sync(fails))
        time.sleep(1.5)  # it polls once a second


def work(
    make: Callable[[str], Shared], place: str, turns: int, start: Barrier, results: Any
) -> None:
    """What one process does: as many turns, once all are ready; put when it began and ended."""
    logging.disable()  # as in the process that started this one
    shared = make(place)
    start.wait()
    began = time.monotonic()
    for i in range(turns):
        shared.turn(KEYS[i % len(KEYS)])
    results.put((began, time.monotonic()))


def turns_per_second(
    make: Callable[[str], Shared], place: str, processes: int, turns: int
) -> float:
    """Of all processes together, from the first beginning to the last end."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(processes), context.SimpleQueue()
    workers = [
        context.Process(target=work, args=(make, place, turns, start, results))
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    times = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    seconds = max(ended for _, ended in times) - min(began for began, _ in times)
    return processes * turns / seconds


def rates(make: Callable[[str], Shared], place: str, quick: bool) -> Figures:
    """Turns a second, and how many of all the failures told nobody knows of afterwards."""
    turns, rounds = (200, 1) if quick else (5_000, 3)

    def typical(processes: int) -> float:
        each = 4 * turns // processes
        return median(turns_per_second(make, place, processes, each) for _ in range(rounds))

    figures: Figures = {"/s, 1 process": typical(1), "/s, 4 processes": typical(4)}
    told = make(place).told()
    figures["lost"] = None if told is None else 2 * rounds * 4 * turns - told
    return figures


def trips(shared: Shared, reads: Callable[[], int], counts: bool, quick: bool) -> Figures:
    """Requests that the server reads for one call."""
    calls = 20 if quick else 500
    healthy, opened, failing = KEYS[:3]

    def per_call(call: Callable[[str], None], key: str) -> float:
        call(key)  # so that all is there that is made once
        before = reads()
        for _ in range(calls):
            call(key)
        return round((reads() - before - 1) / calls, 2)  # without the one that asks for this

    figures: Figures = {"trips, healthy": per_call(shared.call, healthy)}
    shared.open(opened)
    figures["trips, refused"] = per_call(shared.call, opened)
    if counts:
        figures["trips, turn"] = per_call(shared.turn, failing)
    return figures


@contextmanager
def redis_server() -> Iterator[tuple[str, Callable[[], int]]]:
    """A server of our own on loopback: its address, and how many requests it has read so far.

    Raises:
        NotHere: There is no server program, or no client library.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise NotHere("redis-server is not installed")
    try:
        import redis
    except ImportError:
        raise NotHere("redis is not installed") from None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            program,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            url = f"redis://127.0.0.1:{port}"
            with redis.Redis.from_url(url) as client:
                while True:
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        time.sleep(0.02)
                yield url, lambda: client.info("stats")["total_reads_processed"]
        finally:
            server.terminate()
            server.wait()


def in_redis(
    modules: tuple[str, ...], make: Callable[[str], Shared], counts: bool = True
) -> Callable[[bool], Figures]:
    """The figures of a library whose circuits live in Redis."""

    def measure(quick: bool) -> Figures:
        need(*modules)
        with redis_server() as (url, _):
            figures = rates(make, url, quick) if counts else {}
        with redis_server() as (url, reads):
            return {**figures, **trips(make(url), reads, counts, quick)}

    return measure


def in_sqlite(quick: bool) -> Figures:
    """The figures of ours in a file."""
    need("aurora_circuit_breaker.stores.sqlite")
    with tempfile.TemporaryDirectory() as folder:
        return rates(AuroraSqlite, str(Path(folder, "circuits.db")), quick)


def need(*modules: str) -> None:
    """Import what a row cannot do without.

    Raises:
        NotHere: It is not there.
    """
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            raise NotHere(f"{module.partition('.')[0]} is not installed") from None


STORES: Mapping[str, Callable[[bool], Figures]] = {
    "aurora-circuit-breaker, SQLite": in_sqlite,
    "aurora-circuit-breaker, Redis": in_redis(
        ("aurora_circuit_breaker.stores.redis",), AuroraRedis
    ),
    "pybreaker, Redis": in_redis(("pybreaker",), Pybreaker),
    "purgatory, Redis": in_redis(("purgatory",), Purgatory),
    "interlock-cb, Redis": in_redis(("interlock",), Interlock, counts=False),
}
