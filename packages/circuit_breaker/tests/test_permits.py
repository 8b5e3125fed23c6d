"""Permits, guards, probes, leases and generations."""

import asyncio
import pickle

import pytest

from aurora_circuit_breaker import CircuitBreaker, CircuitOpenError


@pytest.fixture
def half_open(breaker, clock):
    """A breaker whose agent "x" may be probed."""
    trip(breaker)
    clock.advance(120)
    return breaker


def trip(breaker):
    breaker.record_failure("x")
    breaker.record_failure("x")


def state(breaker):
    return breaker.get_health_status("x")["state"]


def test_a_closed_circuit_grants_everybody(breaker):
    """Any number of permits are granted at once while closed."""
    permits = [breaker.admit("x") for _ in range(100)]
    assert all(permit.granted for permit in permits)
    assert {(permit.reason, permit.retry_after) for permit in permits} == {("", 0.0)}


def test_an_open_circuit_refuses_with_reason_and_time(breaker, clock):
    """A refused permit says why, and after how many seconds to ask again."""
    trip(breaker)
    clock.advance(30)
    permit = breaker.admit("x")
    assert not permit.granted
    assert permit.reason == "Circuit open: 2 failures, retry in 90s"
    assert permit.retry_after == 90.0


def test_f47_one_probe_among_a_hundred_callers(half_open):
    """F47: exactly one of 100 callers at the moment of reset is let through."""
    permits = [half_open.admit("x") for _ in range(100)]
    assert sum(permit.granted for permit in permits) == 1
    assert half_open.is_open("x")
    assert permits[-1].reason == "Circuit half open: 2 failures, a probe is running"
    assert permits[-1].retry_after == 600.0


def test_a_probes_success_closes(half_open):
    """The success of the probe lets everybody through again."""
    half_open.admit("x").success()
    assert state(half_open) == "closed"
    assert half_open.get_health_status("x")["failure_count"] == 0


def test_a_probes_failure_opens_for_as_long_again(half_open):
    """The failure of the probe is added to the count and starts a new reset timeout."""
    half_open.admit("x").failure("crash")
    assert half_open.should_skip("x") == (True, "Circuit open: 3 failures, retry in 120s")


@pytest.mark.parametrize(
    "settle",
    [
        lambda permit: permit.release(),
        lambda permit: permit.failure("rate_limit"),
        lambda permit: permit.failure("check_failed"),
    ],
)
def test_a_probe_that_tells_nothing_gives_its_slot_back(half_open, settle):
    """After a release, a rate limit or a failed check, the next caller is the probe."""
    settle(half_open.admit("x"))
    assert not half_open.is_open("x")
    assert half_open.admit("x").granted
    assert not half_open.admit("x").granted


@pytest.mark.parametrize("lease", [600.0, 5.0])
def test_f48_the_slot_of_a_dead_holder_comes_back(half_open, clock, lease):
    """F48: a probe that is never settled holds the slot until its lease ends, and no longer."""
    half_open.admit("x", lease)
    clock.advance(lease - 0.1)
    assert half_open.is_open("x")
    clock.advance(0.1)
    assert not half_open.is_open("x")
    assert half_open.admit("x").granted


@pytest.mark.parametrize("outcome", ["success", "failure", "release"])
def test_a_lost_probe_cannot_settle_for_its_successor(half_open, clock, outcome):
    """What a probe says after another took its slot changes nothing."""
    lost = half_open.admit("x")
    clock.advance(600)
    successor = half_open.admit("x")
    before = half_open.get_health_status("x")
    getattr(lost, outcome)()
    assert half_open.get_health_status("x") == before
    assert half_open.is_open("x")
    successor.success()
    assert state(half_open) == "closed"


def test_a_late_probe_counts_if_nobody_took_its_slot(half_open, clock):
    """A probe that outlives its lease is still believed while it is the latest."""
    probe = half_open.admit("x")
    clock.advance(601)
    probe.success()
    assert state(half_open) == "closed"


@pytest.mark.parametrize("outcome", ["success", "failure", "release"])
@pytest.mark.parametrize("waited", [0, 120])
def test_f49_a_permit_from_before_the_opening_is_stale(breaker, clock, outcome, waited):
    """F49: what was admitted before the circuit opened changes nothing afterwards."""
    early = breaker.admit("x")
    trip(breaker)
    clock.advance(waited)
    before = breaker.get_health_status("x")
    getattr(early, outcome)()
    assert breaker.get_health_status("x") == before


def test_f49_a_rate_limit_of_a_stale_permit_leaves_no_trace(breaker):
    """F49: not even the types change."""
    early = breaker.admit("x")
    trip(breaker)
    early.failure("rate_limit")
    assert breaker.get_health_status("x")["failure_types"] == []


def close_by_probe(breaker, clock):
    clock.advance(120)
    breaker.admit("x").success()


@pytest.mark.parametrize(
    "close",
    [
        close_by_probe,
        lambda breaker, clock: breaker.record_success("x"),
        lambda breaker, clock: breaker.reset("x"),
        lambda breaker, clock: breaker.reset_all(),
    ],
)
@pytest.mark.parametrize("then", [lambda breaker: None, lambda breaker: breaker.reset("x")])
def test_f49_a_permit_from_before_the_closing_is_stale(breaker, clock, close, then):
    """F49: a permit from before a circuit opened is stale after it has closed, however it did."""
    early = breaker.admit("x")
    trip(breaker)
    close(breaker, clock)
    then(breaker)
    early.failure()
    assert breaker.get_health_status("x")["failure_count"] == 0


def test_a_permit_from_after_the_closing_counts(breaker):
    """The generation begins anew with each closing."""
    trip(breaker)
    breaker.record_success("x")
    breaker.admit("x").failure()
    assert breaker.get_health_status("x")["failure_count"] == 1


def test_a_probe_is_stale_once_a_failure_without_permit_opened_again(half_open):
    """A probe that was overtaken by an opening neither closes nor frees anything."""
    probe = half_open.admit("x")
    half_open.record_failure("x")
    probe.success()
    assert state(half_open) == "open"


def test_concurrent_permits_count_together(breaker):
    """Permits of one closed state all count, until one of them opens the circuit."""
    permits = [breaker.admit("x") for _ in range(3)]
    for permit in permits:
        permit.failure()
    assert breaker.get_health_status("x")["failure_count"] == 2


@pytest.mark.parametrize("first", ["success", "failure", "release"])
@pytest.mark.parametrize("second", ["success", "failure", "release"])
def test_a_permit_is_settled_once(half_open, first, second):
    """Only the first call settles; what comes later changes nothing."""
    permit = half_open.admit("x")
    getattr(permit, first)()
    before = half_open.get_health_status("x")
    getattr(permit, second)()
    assert half_open.get_health_status("x") == before


def test_a_closed_permit_is_settled_once(breaker):
    """One failure told twice counts once."""
    permit = breaker.admit("x")
    permit.failure()
    permit.failure()
    assert breaker.get_health_status("x")["failure_count"] == 1


def test_settling_a_refused_permit_changes_nothing(breaker):
    """A refused permit has nothing to tell."""
    trip(breaker)
    permit = breaker.admit("x")
    before = breaker.get_health_status("x")
    permit.success()
    permit.failure()
    permit.release()
    assert breaker.get_health_status("x") == before
    assert not permit.granted


@pytest.mark.parametrize("lease", [0, -1, float("nan"), float("inf")])
def test_a_lease_must_end(breaker, lease):
    """A lease that is not above 0 and finite is refused at once, by admit and guard alike."""
    with pytest.raises(ValueError, match="lease must be above 0"):
        breaker.admit("x", lease)
    with pytest.raises(ValueError, match="lease must be above 0"):
        breaker.guard("x", lease)


def test_an_unknown_failure_type_leaves_the_permit_unsettled(half_open):
    """A misspelled type is an error that names the known ones, and the probe can still tell."""
    permit = half_open.admit("x")
    with pytest.raises(ValueError, match="'timout'; known: timeout, "):
        permit.failure("timout")
    permit.success()
    assert state(half_open) == "closed"


class TestGuard:
    def test_leaving_the_block_is_a_success(self, half_open):
        """A probe under guard closes the circuit when its block ends."""
        with half_open.guard("x") as permit:
            assert permit.granted
            assert half_open.is_open("x")
        assert state(half_open) == "closed"

    @pytest.mark.parametrize(
        ("error", "failure_type"),
        [
            (TimeoutError(), "timeout"),
            (ConnectionResetError(), "connection"),
            (ZeroDivisionError(), "crash"),
        ],
    )
    def test_an_exception_is_a_failure_of_its_type(self, breaker, error, failure_type):
        """An exception counts with a type of its own and goes on its way."""
        with pytest.raises(type(error)), breaker.guard("x"):
            raise error
        assert breaker.get_health_status("x")["failure_types"] == [failure_type]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
    def test_f48_an_interruption_releases(self, half_open, error):
        """F48: what is no Exception says nothing about the agent and gives the slot back."""
        with pytest.raises(error), half_open.guard("x"):
            raise error
        assert not half_open.is_open("x")
        assert state(half_open) == "half_open"

    def test_refused(self, breaker, clock):
        """A refused guard raises before its block runs, with agent, reason and time."""
        trip(breaker)
        clock.advance(30)
        with pytest.raises(CircuitOpenError) as caught, breaker.guard("x"):
            pytest.fail("the block ran")
        error = caught.value
        assert (error.agent_id, error.retry_after) == ("x", 90.0)
        assert str(error) == "x: Circuit open: 2 failures, retry in 90s"
        assert breaker.get_health_status("x")["failure_count"] == 2

    def test_settled_by_its_block(self, breaker):
        """What the block says itself stands, however the block ends."""

        def fail_with_a_type():
            with breaker.guard("x") as permit:
                permit.failure("auth")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_with_a_type()
        assert breaker.get_health_status("x")["failure_types"] == ["auth"]

    def test_asks_on_entry_only(self, half_open):
        """A guard that is never entered holds no slot."""
        half_open.guard("x")
        assert half_open.admit("x").granted

    @pytest.mark.asyncio
    async def test_async(self, half_open):
        """The async guard settles like the sync one and refuses like it."""
        async with half_open.guard("x"):
            with pytest.raises(CircuitOpenError):
                async with half_open.guard("x"):
                    pytest.fail("the block ran")
        assert state(half_open) == "closed"

    @pytest.mark.asyncio
    async def test_f48_a_cancelled_probe_gives_its_slot_back(self, half_open):
        """F48: cancelling the task that probes frees the slot at once."""
        entered = asyncio.Event()

        async def probe():
            async with half_open.guard("x"):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(probe())
        await entered.wait()
        assert half_open.is_open("x")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert half_open.admit("x").granted

    @pytest.mark.asyncio
    async def test_f47_one_probe_among_a_hundred_tasks(self, half_open):
        """F47: of 100 tasks at the moment of reset one runs."""
        ran = refused = 0
        all_refused = asyncio.Event()

        async def call():
            nonlocal ran, refused
            try:
                async with half_open.guard("x"):
                    ran += 1
                    # The probe's success would let everybody in.
                    await all_refused.wait()
            except CircuitOpenError:
                refused += 1
                if refused == 99:
                    all_refused.set()

        await asyncio.wait_for(asyncio.gather(*(call() for _ in range(100))), 60)
        assert (ran, refused) == (1, 99)


def test_the_error_survives_pickling():
    """CircuitOpenError keeps its fields on the way to another process."""
    error = pickle.loads(pickle.dumps(CircuitOpenError("x", 90.0, "Circuit open")))
    assert (error.agent_id, error.retry_after, error.reason) == ("x", 90.0, "Circuit open")


def test_no_exception_is_kept():
    """Neither the breaker nor the permit keeps what the block raised, nor its frames."""
    breaker = CircuitBreaker()
    guard = breaker.guard("x")
    error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError), guard:
        raise error
    assert all(
        getattr(guard, slot, None) is not error
        for cls in type(guard).__mro__
        for slot in getattr(cls, "__slots__", ())
    )
