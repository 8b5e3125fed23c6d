"""`guard`: a permit as a context manager and as a decorator."""

import asyncio

import pytest

from aurora_circuit_breaker import CircuitBreaker, CircuitOpenError


@pytest.fixture(params=["with", "async with", "function", "coroutine function"])
def run(request):
    """Runs a body under a guard, in each way; returns what the body returns."""

    def guarded(breaker, body):
        async def coroutine():
            await asyncio.sleep(0)
            return body()

        async def block():
            async with breaker.guard("x"):
                return await coroutine()

        if request.param == "with":
            with breaker.guard("x"):
                return body()
        if request.param == "async with":
            return asyncio.run(block())
        if request.param == "function":
            return breaker.guard("x")(body)()
        return asyncio.run(breaker.guard("x")(coroutine)())

    return guarded


def types(breaker):
    return breaker.get_health_status("x")["failure_types"]


def raiser(error):
    def body():
        raise error

    return body


def trip(breaker):
    breaker.record_failure("x")
    breaker.record_failure("x")


def test_what_the_body_returns_comes_back(breaker, run):
    """A call that succeeds leaves no trace, and its value is the caller's."""
    assert run(breaker, lambda: "answer") == "answer"
    assert list(breaker.store) == []


@pytest.mark.parametrize(
    ("error", "failure_type"),
    [(TimeoutError(), "timeout"), (ConnectionResetError(), "connection"), (KeyError(1), "crash")],
)
def test_an_exception_is_a_failure_of_its_type(breaker, run, error, failure_type):
    """What the body raises goes on to the caller, and is told as the type that it has."""
    with pytest.raises(type(error)):
        run(breaker, raiser(error))
    assert types(breaker) == [failure_type]
    assert breaker.get_health_status("x")["failure_count"] == 1


def test_an_open_circuit_refuses_before_the_body(breaker, run, clock):
    """Refused, the body does not run, and the error says whose circuit, why and how long."""
    trip(breaker)
    clock.advance(20)
    with pytest.raises(CircuitOpenError) as caught:
        run(breaker, pytest.fail)
    error = caught.value
    assert (error.agent_id, error.retry_after) == ("x", 100)
    assert error.args == ("x", 100, error.reason)
    assert str(error) == "x: Circuit open: 2 failures, retry in 100s"


def test_a_probe_closes_or_opens_again(breaker, run, clock):
    """Half open, the body is the probe: it decides."""
    trip(breaker)
    clock.advance(120)
    with pytest.raises(KeyError):
        run(breaker, raiser(KeyError(1)))
    assert breaker.is_open("x")
    clock.advance(120)
    run(breaker, lambda: None)
    assert breaker.get_health_status("x")["state"] == "closed"


@pytest.mark.parametrize("tripped", [False, True])
def test_f48_a_cancelled_body_tells_nothing(breaker, clock, tripped):
    """F48: a cancellation is neither success nor failure, and the slot comes back."""
    if tripped:
        trip(breaker)
        clock.advance(120)

    async def cancelled():
        async def work():
            async with breaker.guard("x"):
                await asyncio.sleep(3600)

        task = asyncio.create_task(work())
        while not task.done():
            # On a slow store the asking is in a thread: let it end, or cancel it there.
            await asyncio.sleep(0.02)
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancelled())
    assert breaker.get_health_status("x")["failure_count"] == (2 if tripped else 0)
    assert breaker.admit("x").granted


def test_the_body_may_settle_the_permit_itself(breaker):
    """What the block tells itself counts, and leaving it tells nothing more."""
    with breaker.guard("x") as permit:
        permit.failure("auth")
    assert types(breaker) == ["auth"]

    async def main():
        async with breaker.guard("x") as permit:
            permit.release()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(main())
    assert breaker.get_health_status("x")["failure_count"] == 1


def test_a_decorated_function_is_itself(breaker):
    """A decorated function keeps its name, takes its arguments, and a coroutine function stays
    one."""

    @breaker.guard("x")
    def add(a, *, b):
        return a + b

    @breaker.guard("x")
    async def add_later(a, *, b):
        return a + b

    assert add.__name__ == "add"
    assert add(1, b=2) == asyncio.run(add_later(1, b=2)) == 3
    assert asyncio.iscoroutinefunction(add_later)


def test_a_generator_is_refused(breaker):
    """A generator runs after its call, so guarding the call would guard nothing."""

    def numbers():
        yield 1

    async def numbers_later():
        yield 1

    for function in (numbers, numbers_later):
        with pytest.raises(TypeError, match="is a generator: guard the block that runs it"):
            breaker.guard("x")(function)


@pytest.mark.parametrize("ask", ["admit", "guard"])
@pytest.mark.parametrize("lease", [0, -1, float("inf"), float("nan")])
def test_a_lease_must_be_possible(breaker, ask, lease):
    """A lease that is not above 0 or never ends is refused with its value."""
    with pytest.raises(ValueError, match=f"lease must be above 0 and finite, not {lease!r}"):
        getattr(breaker, ask)("x", lease)


@pytest.mark.parametrize("ask", ["admit", "guard"])
def test_a_lease_may_be_short(breaker, clock, ask):
    """Half a second is a lease, and it ends."""
    trip(breaker)
    clock.advance(120)
    if ask == "admit":
        breaker.admit("x", 0.5)
    else:
        breaker.guard("x", 0.5).__enter__()
    assert not breaker.admit("x").granted
    clock.advance(0.5)
    assert breaker.admit("x").granted


@pytest.mark.parametrize(
    ("failure_type", "retry_after", "words"),
    [
        ("crash", 5, "retry_after comes with rate_limit only"),
        (None, 5, "retry_after comes with rate_limit only"),
        ("rate_limit", -1, "retry_after must be finite and not negative, not -1"),
        ("rate_limit", float("inf"), "retry_after must be finite and not negative, not inf"),
    ],
)
def test_a_senseless_wait_is_refused(clock, failure_type, retry_after, words):
    """A Retry-After is for rate limits, and a possible time; the permit stays unsettled."""
    breaker = CircuitBreaker(clock=clock)
    permit = breaker.admit("x")
    with pytest.raises(ValueError, match=f"^{words}$"):
        permit.failure(failure_type, retry_after=retry_after)
    with pytest.raises(ValueError, match=f"^{words}$"):
        breaker.record_failure("x", failure_type=failure_type, retry_after=retry_after)
    permit.failure("rate_limit", retry_after=0)
    assert types(breaker) == ["rate_limit"]


def test_a_reason_lasts_as_long_as_its_second(clock):
    """What a refused caller is told changes with every second, up to the moment of the probe."""
    breaker = CircuitBreaker(clock=clock, reset_timeout=3)
    trip(breaker)
    told = []
    for _ in range(14):
        told.append(breaker.should_skip("x"))
        clock.advance(0.25)
    seconds = [3] * 4 + [2] * 4 + [1] * 4
    reasons = [(True, f"Circuit open: 2 failures, retry in {left}s") for left in seconds]
    # Exactly on the second there is that much left; then it is rounded up.
    assert told[:12] == [reasons[0], *reasons[1:]]
    assert told[12:] == [(False, "")] * 2
