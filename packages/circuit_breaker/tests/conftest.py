import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from aurora_circuit_breaker import CircuitBreaker
from aurora_circuit_breaker.stores import sqlite as sqlite_store

# A busy machine is no fault of an example.
settings.register_profile("unhurried", deadline=None)
# For those who want to know whether anything fails, and not what.
settings.register_profile("brief", deadline=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("AURORA_HYPOTHESIS", "unhurried"))


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store_at(request, tmp_path, monkeypatch):
    """Makes stores of each kind that show the time of a clock of the test's; None for memory."""
    if request.param == "memory":
        yield lambda clock: None
        return
    if request.param == "sqlite":
        made = _sqlite_stores(tmp_path, monkeypatch)
    else:
        made = _redis_stores(request.getfixturevalue("redis_server"), monkeypatch)
    yield from made


def _sqlite_stores(folder, monkeypatch):
    stores = []

    def make(clock):
        monkeypatch.setattr(sqlite_store, "now", lambda agreement: clock())
        stores.append(sqlite_store.SqliteStore(folder / f"{len(stores)}.db"))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def _redis_stores(server, monkeypatch):
    from aurora_circuit_breaker.stores import redis as redis_store

    class Timed(redis_store.RedisStore):
        def __init__(self, client, clock):
            super().__init__(client)
            self._time = clock

        def _decide(self, *decision):
            # The test's seconds are more than the script forgives: it would believe its caller.
            self._seen = None
            self._client.set("test:time", repr(self._time()))
            return super()._decide(*decision)

    with timed_redis(server, redis_store, monkeypatch) as client:

        def make(clock):
            client.flushdb()
            return Timed(client, clock)

        yield make


@contextmanager
def timed_redis(server, redis_store, monkeypatch):
    """A client of a server whose script takes the time from a key."""
    script = redis_store.SCRIPT
    assert script.count("redis.call('TIME')") == 1
    monkeypatch.setattr(
        redis_store,
        "SCRIPT",
        script.replace("redis.call('TIME')", "{redis.call('GET', 'test:time'), 0}"),
    )
    with redis_store.Redis.from_url(server.url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def breaker(clock: Clock, store_at) -> CircuitBreaker:
    """A breaker with the contract's numbers, on each kind of store."""
    return CircuitBreaker(clock=clock, store=store_at(clock))


@pytest.fixture(scope="session")
def repetitions() -> int:
    """How often seeded tests repeat themselves; more with AURORA_REPETITIONS."""
    return int(os.environ.get("AURORA_REPETITIONS", "50"))


class RedisServer:
    """A server of our own on this machine, which can be stopped and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._program, "--port", str(self.port), "--bind", "127.0.0.1"),
                    *("--dir", str(self._folder), "--save", "", "--appendonly", "no"),
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(5) == b"+PONG":
                        return
            except OSError:
                pass
            if time.monotonic() > deadline or self._process.poll() is not None:
                pytest.fail(f"redis-server: {(self._folder / 'log').read_text()}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _redis_server_program() -> str:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH (Debian and Ubuntu: apt install redis-server)")
    return program


@pytest.fixture(scope="session")
def redis_server():
    """The server that the tests of one process share, one after the other."""
    pytest.importorskip("redis")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(_redis_server_program(), Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def scripted(redis_server, monkeypatch):
    """A Redis store whose server's time is that of a key, and the client to set it with."""
    from aurora_circuit_breaker.stores import redis as redis_store

    with timed_redis(redis_server, redis_store, monkeypatch) as client:
        # As good as for ever: what is restored may be older than what is kept.
        yield redis_store.RedisStore(client, keep=1e6), client


@pytest.fixture
def own_redis_server(tmp_path):
    """A server that a test may stop and start."""
    pytest.importorskip("redis")
    server = RedisServer(_redis_server_program(), tmp_path)
    server.start()
    yield server
    server.stop()
