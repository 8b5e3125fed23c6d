"""Stores outside of the process: what they keep, and what happens when they are down."""

import asyncio
import sqlite3
import threading
import time

import pytest

from aurora_circuit_breaker import CircuitBreaker, StoreLost, StoreRecovered
from aurora_circuit_breaker.state import force
from aurora_circuit_breaker.stores import MemoryStore, StoreDownError
from aurora_circuit_breaker.stores.sqlite import SqliteStore


class Flaky:
    """A shared store that a test can take down; it notes which thread asked."""

    held = None

    def __init__(self, clock):
        self._inner = MemoryStore(clock, 3600)
        self.down = False
        self.threads = []
        self.questions = 0

    def _asked(self):
        self.questions += 1
        self.threads.append(threading.current_thread())
        if self.down:
            raise StoreDownError("gone")

    def update(self, agent_id, change, argument):
        self._asked()
        return self._inner.update(agent_id, change, argument)

    def look(self, agent_id, /):
        self._asked()
        return self._inner.look(agent_id)

    def __iter__(self):
        self._asked()
        return iter(self._inner)


@pytest.fixture
def flaky(clock):
    return Flaky(clock)


@pytest.fixture
def told():
    return []


@pytest.fixture
def breaker(clock, flaky, told):
    return CircuitBreaker(clock=clock, store=flaky, on_change=told.append)


def trip(breaker):
    breaker.record_failure("x")
    breaker.record_failure("x")


def of_the_store(told):
    return [event for event in told if isinstance(event, StoreLost | StoreRecovered)]


def test_f52_a_store_that_is_down_is_told_once_and_replaced(breaker, flaky, told, caplog):
    """F52: while the store is down this process judges by what it sees itself, told once."""
    trip(breaker)
    flaky.down = True
    assert not breaker.is_open("x")
    trip(breaker)
    assert breaker.is_open("x")
    assert list(breaker.store) == ["x"]
    [event] = of_the_store(told)
    assert (type(event), event.reason) == (StoreLost, "gone")
    lines = [r.getMessage() for r in caplog.records if "down" in r.getMessage()]
    assert lines == ["The store is down; each process judges for itself: gone"]


def test_f52_it_heals_and_the_shared_states_count_again(breaker, flaky, told, clock):
    """F52: a store that is back is found within a second, and nothing is carried over to it."""
    flaky.down = True
    trip(breaker)
    flaky.down = False
    assert breaker.is_open("x")
    clock.advance(1)
    assert not breaker.is_open("x")
    [_, event] = of_the_store(told)
    assert (type(event), event.reason) == (StoreRecovered, "the store answers again")
    flaky.down = True
    assert not breaker.is_open("x")
    assert len(of_the_store(told)) == 3


def test_f52_one_caller_a_second_tries_a_store_that_is_down(breaker, flaky, clock):
    """F52: nobody waits for a dead store but one caller, now and then."""
    flaky.down = True
    breaker.is_open("x")
    asked = flaky.questions
    for _ in range(100):
        breaker.is_open("x")
    assert flaky.questions == asked
    clock.advance(1)
    for _ in range(100):
        breaker.is_open("x")
    assert flaky.questions == asked + 1


@pytest.mark.parametrize("fails", [False, True])
def test_coroutines_ask_a_slow_store_in_a_thread(breaker, flaky, fails):
    """The event loop never waits for a store outside of the process; what was told is there when
    the block is left."""

    async def main():
        async with breaker.guard("x"):
            if fails:
                raise KeyError

    if fails:
        with pytest.raises(KeyError):
            asyncio.run(main())
    else:
        asyncio.run(main())
    assert flaky.questions
    assert threading.main_thread() not in flaky.threads
    assert breaker.get_health_status("x")["failure_count"] == fails


def test_f48_whoever_is_cancelled_while_asking_gives_back(breaker, flaky, clock):
    """F48: a slot that is granted to somebody who has gone meanwhile comes back."""
    trip(breaker)
    clock.advance(120)
    asking, go_on = threading.Event(), threading.Event()
    update = flaky.update

    def slow(*arguments):
        answer = update(*arguments)
        asking.set()
        go_on.wait(10)
        return answer

    flaky.update = slow

    async def main():
        task = asyncio.create_task(breaker.guard("x").__aenter__())
        await asyncio.to_thread(asking.wait, 10)
        task.cancel()
        await asyncio.wait([task])
        go_on.set()
        flaky.update = update

    # The end of the loop waits for its threads.
    asyncio.run(main())
    deadline = time.monotonic() + 10
    while breaker.is_open("x"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sqlite_keeps_what_it_knows(tmp_path):
    """F53: what one breaker told is there for the next one that opens the file."""
    path = tmp_path / "circuits.db"
    first = SqliteStore(path)
    trip(CircuitBreaker(store=first))
    first.close()
    second = SqliteStore(path)
    assert CircuitBreaker(store=second).is_open("x")
    assert list(second) == ["x"]
    second.close()


def test_sqlite_that_is_no_database_is_down_and_left_alone(tmp_path, caplog):
    """F52: a file that is something else is not touched; the process judges for itself."""
    path = tmp_path / "circuits.db"
    path.write_text("these are my notes, not a database")
    store = SqliteStore(path)
    breaker = CircuitBreaker(store=store)
    trip(breaker)
    assert breaker.is_open("x")
    assert path.read_text() == "these are my notes, not a database"
    store.close()


@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE", "EXCLUSIVE"])
def test_sqlite_waits_for_another_one_that_makes_the_file(tmp_path, mode):
    """F53: processes that begin at the same time on a new file all share it: whichever lock one
    of them holds, the others wait."""
    path = tmp_path / "circuits.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(f"BEGIN {mode}")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    release = threading.Timer(0.05, other.execute, ["COMMIT"])
    release.start()
    store = SqliteStore(path, patience=60)
    store.update("x", force, True)
    release.join()
    assert list(store) == ["x"]
    store.close()
    other.close()


def test_f52_sqlite_that_is_held_for_too_long_is_down(tmp_path):
    """F52: what another one does not give free within the patience is down, with the reason."""
    path = tmp_path / "circuits.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreDownError, match="locked"):
        SqliteStore(path, patience=0.02).look("x")
    other.close()


def test_f52_redis_is_lost_and_found(own_redis_server, caplog):
    """F52: a real server that stops is replaced by what this process sees, and comes back."""
    from aurora_circuit_breaker.stores.redis import RedisStore

    told = []
    breaker = CircuitBreaker(store=RedisStore(own_redis_server.url), on_change=told.append)
    breaker.record_failure("x")
    own_redis_server.stop()
    trip(breaker)
    assert breaker.is_open("x")
    own_redis_server.start()
    deadline = time.monotonic() + 20
    while breaker.is_open("x"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [type(event) for event in of_the_store(told)] == [StoreLost, StoreRecovered]


@pytest.mark.parametrize("agent_id", ["", "ä\n\0x", "\udcff", "a" * 10_000])
def test_any_text_is_an_id(store_at, clock, agent_id):
    """F61: whatever an agent is called, its circuit opens and nobody else's."""
    breaker = CircuitBreaker(clock=clock, store=store_at(clock))
    breaker.record_failure(agent_id)
    breaker.record_failure(agent_id)
    assert breaker.is_open(agent_id)
    assert list(breaker.store) == [agent_id]
    assert not breaker.is_open("somebody else")
