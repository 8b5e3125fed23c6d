"""The pure machine of one circuit: its state, what happened and the time give the next state.

Every rule that affects a state is in this file, but for what opens a closed one: `windows.py`.

- **Closed** lets everybody through. A success changes nothing, except where calls are counted.
- **A rate limit** of the provider never counts. It is noted among the types, and if it says how
  long to wait (Retry-After), nobody runs for as long: a closed circuit is *limited* until then
  and goes on as it was, an open one does not try earlier.
- **Open** lets nobody through until `retry_at`.
- **Half open**, from `retry_at` on, lets as many probes through at a time as there are slots. One
  holds its slot until its result, its release or the end of its lease; after that it is believed
  only until the slot is given to another. The first success closes. The first failure opens
  again, and so does a probe that took too long, if that matters.
- **How long it stays open**: the reset timeout. With a backoff, an opening that follows a failed
  probe lasts `factor` times as long as the one before, up to the maximum, less the jitter.
- **Forced** open lets nobody through, forced closed everybody, and nothing that is told changes
  anything until the force is lifted.
- **A failed check** leaves no trace. A probe that ends so, or in a rate limit, gives its slot back.
- **Permits** carry the generation of the state that admitted them; every opening, closing, force
  and probe takes a new one. In a closed circuit a permit from an earlier generation changes
  nothing, in an open one any permit but those of its probes.
- **Without a permit** a result always applies: success closes; failure adds to an open circuit
  without moving `retry_at`, and opens a half open one again.

A *change* is one of the functions below that take the state, the time, a fresh generation number
and one argument of plain data, and return the next state: the same object if nothing changed. So
a store can apply a change wherever its states live, by name if need be. Times are seconds on the
clock of the store.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from math import ceil, inf
from typing import NamedTuple, TypeVar

from .policy import HARD, UNCOUNTED, FailureType, Rules
from .windows import Slice, counted, failures_open, rates_open, within

# Failures told to an open circuit remember only the latest times and types, so that telling stays
# cheap and the state small; `Open.total` counts them all. They are forgotten many at a time, once
# so many are held.
REMEMBERED = 32
HELD = 2 * REMEMBERED


class Closed(NamedTuple):
    """Everybody may run, from `limited_until` on.

    Attributes:
        times: When the counted failures happened, oldest first; some may have left the window.
        types: Types of the failures told, oldest first; those without a type are left out.
        soft_at: When the last failure happened that was not hard.
        touched: When anything was last noted here.
        limited_until: When the wait ends that a provider asked for; -inf without one.
        calls: Calls in the window, where they are counted; oldest first.
        generation: Number of the state; 0 for one that never opened.
    """

    times: tuple[float, ...]
    types: tuple[FailureType, ...]
    soft_at: float
    touched: float
    limited_until: float
    calls: tuple[Slice, ...]
    generation: int


class Probe(NamedTuple):
    """A slot that was given away.

    Attributes:
        until: When its lease ends.
        permit: The generation of its permit.
    """

    until: float
    permit: int


class Open(NamedTuple):
    """Nobody may run before `retry_at`; probes from then on.

    Attributes:
        times: When the latest failures happened, `REMEMBERED` at least if there were so many,
            oldest first.
        types: Their types, oldest first; those without a type are left out.
        total: Failures that opened it and failures told since.
        retry_at: When it becomes half open.
        length: Seconds that this opening lasts, before jitter.
        probes: The slots given away, those whose lease ends first in front.
        generation: Number of the state; of its latest probe, if it had any.
    """

    times: tuple[float, ...]
    types: tuple[FailureType, ...]
    total: int
    retry_at: float
    length: float
    probes: tuple[Probe, ...]
    generation: int


class Forced(NamedTuple):
    """What somebody wants, whatever happens.

    Attributes:
        open: Nobody may run; otherwise everybody.
        generation: Number of the state.
    """

    open: bool
    generation: int


State = Closed | Open | Forced

# What is known of an agent of which nothing is known. A store keeps nothing for it.
HEALTHY = Closed(
    times=(), types=(), soft_at=-inf, touched=-inf, limited_until=-inf, calls=(), generation=0
)

# Telling a failure builds one state; this takes 100 ns of it, calling the class 260.
_new = tuple.__new__

# Most agents fail with one type: sharing these saves 48 bytes an agent.
_ONE = {failure_type: (failure_type,) for failure_type in FailureType}


class Phase(StrEnum):
    """How a state is called at a given time."""

    CLOSED = "closed"
    LIMITED = "limited"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


# Questions


def phase(state: State, now: float) -> Phase:
    """What the state is at `now`."""
    if isinstance(state, Closed):
        return Phase.LIMITED if now < state.limited_until else Phase.CLOSED
    if isinstance(state, Open):
        return Phase.OPEN if now < state.retry_at else Phase.HALF_OPEN
    return Phase.FORCED_OPEN if state.open else Phase.FORCED_CLOSED


def blocked_for(state: State, now: float, slots: int) -> float:
    """Seconds until somebody may run, at the latest; 0 if somebody may now, inf if never."""
    if isinstance(state, Closed):
        return max(state.limited_until - now, 0.0)
    if isinstance(state, Forced):
        return inf if state.open else 0.0
    if now < state.retry_at:
        return state.retry_at - now
    # Those in front end first: so many of them must, before a slot is free.
    too_many = len(state.probes) - slots
    return max(state.probes[too_many].until - now, 0.0) if too_many >= 0 else 0.0


def refusal_reason(state: State, now: float, slots: int) -> str:
    """Why nobody may run now, for people; empty if somebody may."""
    # Nearly every refusal is this one.
    if type(state) is Open and (left := state.retry_at - now) > 0:
        return _open_reason(state.total, ceil(left))
    wait = blocked_for(state, now, slots)
    if wait <= 0:
        return ""
    if isinstance(state, Closed):
        return f"Rate limited: retry in {ceil(wait)}s"
    if isinstance(state, Forced):
        return "Circuit forced open"
    running = "a probe is running" if slots == 1 else f"{slots} probes are running"
    return f"Circuit half open: {_failures(state.total)}, {running}"


# Many callers ask within the same second; each text is some 100 bytes.
@lru_cache(maxsize=256)
def _open_reason(total: int, seconds: int) -> str:
    return f"Circuit open: {_failures(total)}, retry in {seconds}s"


def _failures(total: int) -> str:
    return "1 failure" if total == 1 else f"{total} failures"


def recent(state: State, now: float, rules: Rules) -> tuple[float, ...]:
    """The times of the failures that lie within the window at `now`, oldest first."""
    if isinstance(state, Forced):
        return ()
    times = within(state.times, now - rules.window)
    return times[-REMEMBERED:] if isinstance(state, Open) else times


def next_failure_opens(state: Closed, now: float, rules: Rules) -> bool:
    """Whether a failure at `now` opens the circuit, if it is hard, quick and may fast-fail."""
    if failures_open((*recent(state, now, rules), now), state.soft_at, now, rules, True):
        return True
    return rules.counts_calls and rates_open(
        counted(state.calls, now, rules, failed=True, slow=False), rules
    )


def recent_types(state: State, now: float, rules: Rules) -> tuple[FailureType, ...]:
    """The types noted; none once a closed circuit was left alone for a whole window."""
    if isinstance(state, Forced) or (
        isinstance(state, Closed) and state.touched < now - rules.window
    ):
        return ()
    return state.types[-REMEMBERED:]


def idle_since(state: State) -> float:
    """When the state began to wait for something to happen to it; may lie ahead, inf if never."""
    if isinstance(state, Closed):
        return max(state.touched, state.limited_until)
    if isinstance(state, Open):
        return max(state.retry_at, state.probes[-1].until if state.probes else -inf)
    return inf


# Changes

Argument = TypeVar("Argument")
Change = Callable[[State, float, int, Argument], State]

# What `admit` is told: the lease of a probe in seconds, and how many probes may run at a time.
Admission = tuple[float, int]

# What `fail` is told: the rules of the agent, the type if it is known, whether this failure may
# open the circuit by the fast-fail rule, the generation of the permit that tells it if one does,
# whether the call was slow, the provider's Retry-After in seconds if it gave one, and a random
# number from 0 up to 1.
Failure = tuple[Rules, FailureType | None, bool, int | None, bool, float | None, float]

# What `succeed` is told: the rules of the agent, the generation of the permit that tells it if one
# does, whether the call was slow, and a random number from 0 up to 1.
Success = tuple[Rules, int | None, bool, float]


def admit(state: State, now: float, fresh: int, admission: Admission) -> State:
    """Give a slot away, if the circuit is half open and has one; nobody else takes one."""
    lease, slots = admission
    if not isinstance(state, Open) or blocked_for(state, now, slots) > 0:
        return state
    # Of those in front the lease has ended.
    kept = state.probes[max(len(state.probes) - slots + 1, 0) :]
    probes = tuple(sorted((*kept, Probe(now + lease, fresh))))
    return state._replace(probes=probes, generation=fresh)


def fail(state: State, now: float, fresh: int, failure: Failure) -> State:
    """Take a failure into account."""
    rules, failure_type, fast_fail, permit, slow, retry_after, jitter = failure
    if permit is not None and _is_stale(state, permit):
        return state
    if failure_type in UNCOUNTED:
        return _uncounted(state, now, rules, failure_type, permit, retry_after)
    if type(state) is Closed:
        times, types, soft_at, touched, limited_until, calls, generation = state
        edge = now - rules.window
        if touched < edge:
            times = types = ()
        elif times and times[0] < edge:
            times = within(times, edge)
        times += (now,)
        if failure_type is not None:
            types = _with(types, failure_type)
        if failure_type not in HARD:
            soft_at = now
        if rules.counts_calls:
            calls = counted(calls, now, rules, failed=True, slow=slow)
        if not failures_open(times, soft_at, now, rules, fast_fail) and not (
            calls and rates_open(calls, rules)
        ):
            return _new(Closed, (times, types, soft_at, now, limited_until, calls, generation))
        return _opened(times, types, len(times), None, limited_until, now, fresh, rules, jitter)
    if type(state) is Open:
        times, types, total, retry_at, length, probes, generation = state
        times += (now,)
        if len(times) >= HELD:
            times = times[-REMEMBERED:]
        if failure_type is not None:
            types = _with(types, failure_type)
        if permit is None and now < retry_at:
            return _new(Open, (times, types, total + 1, retry_at, length, probes, generation))
        return _opened(times, types, total + 1, length, retry_at, now, fresh, rules, jitter)
    return state


def succeed(state: State, now: float, fresh: int, success: Success) -> State:
    """Take a success into account."""
    rules, permit, slow, jitter = success
    if permit is not None and _is_stale(state, permit):
        return state
    if isinstance(state, Open):
        if not slow:
            return _closed(now, fresh)
        times, types, total, retry_at, length, _, _ = state
        return _opened(times, types, total, length, retry_at, now, fresh, rules, jitter)
    if isinstance(state, Forced) or not rules.counts_calls:
        return state
    calls = counted(state.calls, now, rules, failed=False, slow=slow)
    if not rates_open(calls, rules):
        return state._replace(calls=calls, touched=now)
    times, types = recent(state, now, rules), recent_types(state, now, rules)
    return _opened(times, types, len(times), None, state.limited_until, now, fresh, rules, jitter)


def release(state: State, now: float, fresh: int, permit: int) -> State:
    """Give the slot of a probe back; any other permit holds nothing."""
    if not isinstance(state, Open) or _is_stale(state, permit):
        return state
    return state._replace(probes=tuple(p for p in state.probes if p.permit != permit))


def force(state: State, now: float, fresh: int, to_open: bool) -> State:
    """Force the circuit open or closed."""
    if isinstance(state, Forced) and state.open == to_open:
        return state
    return Forced(to_open, fresh)


def forget(state: State, now: float, fresh: int, argument: None) -> State:
    """Close, lift a force, and forget everything except which permits are stale."""
    if not isinstance(state, Closed):
        return _closed(now, fresh)
    return _closed(now, state.generation) if state.generation else HEALTHY


def restore(state: State, now: float, fresh: int, saved: State) -> State:
    """Replace the state by what `shifted(before, -then)` saved."""
    return HEALTHY if saved == HEALTHY else shifted(saved, now)._replace(generation=fresh)


def shifted(state: State, seconds: float) -> State:
    """The same state on a clock that shows so many seconds more.

    Slots and counts of calls are left out: nobody else holds the slots, and slices are numbered by
    their own clock.
    """
    if isinstance(state, Forced):
        return state
    times = tuple(t + seconds for t in state.times)
    if isinstance(state, Open):
        return state._replace(times=times, retry_at=state.retry_at + seconds, probes=())
    return state._replace(
        times=times,
        soft_at=state.soft_at + seconds,
        touched=state.touched + seconds,
        limited_until=state.limited_until + seconds,
        calls=(),
    )


def _is_stale(state: State, permit: int) -> bool:
    if isinstance(state, Open):
        return all(probe.permit != permit for probe in state.probes)
    return permit < state.generation


def _opened(
    times: tuple[float, ...],
    types: tuple[FailureType, ...],
    total: int,
    before: float | None,
    not_before: float,
    now: float,
    fresh: int,
    rules: Rules,
    jitter: float,
) -> Open:
    """Open, after an opening of `before` seconds if it was open already; until `not_before`."""
    backoff, seconds = rules.backoff, rules.reset_timeout
    length = seconds
    if backoff is not None:
        grown = length if before is None else max(before * backoff.factor, length)
        length = min(grown, backoff.maximum)
        seconds = length * (1 - backoff.jitter * jitter)
    return Open(times, types, total, max(now + seconds, not_before), length, (), fresh)


def _closed(now: float, generation: int) -> Closed:
    return HEALTHY._replace(touched=now, generation=generation)


def _uncounted(
    state: State,
    now: float,
    rules: Rules,
    failure_type: FailureType | None,
    permit: int | None,
    retry_after: float | None,
) -> State:
    """The state after something that is not the agent's fault."""
    if permit is not None:
        state = release(state, now, 0, permit)
    if isinstance(state, Forced) or failure_type is not FailureType.RATE_LIMIT:
        return state
    types = _with(recent_types(state, now, rules), FailureType.RATE_LIMIT)
    until = -inf if retry_after is None else now + retry_after
    if isinstance(state, Open):
        return state._replace(types=types, retry_at=max(state.retry_at, until))
    return state._replace(types=types, touched=now, limited_until=max(state.limited_until, until))


def _with(types: tuple[FailureType, ...], latest: FailureType) -> tuple[FailureType, ...]:
    types += _ONE[latest]
    return types if len(types) < HELD else types[-REMEMBERED:]
