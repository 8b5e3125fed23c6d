"""The pure machine of one circuit: its state, what happened and the time give the next state.

Every rule that affects a state is in this file:

- **Closed** lets everybody through. A failure is forgotten once it is older than the window. The
  failure that brings those in the window to the threshold opens the circuit; so does one that
  brings those in the shorter fast-fail window to the fast-fail threshold (for an adhoc agent only
  if every failure in that window is hard). A success changes nothing while closed.
- **Open** lets nobody through until `retry_at`.
- **Half open**, from `retry_at` on, lets one probe through at a time. It holds the slot until its
  result, its release or the end of its lease. Success closes, failure opens again for as long.
- **Uncounted failures** never open anything. A rate limit is noted among the types, a failed
  check nowhere. A probe that ends so gives its slot back.
- **Permits** carry the generation of the state that admitted them. Every opening, closing and
  probe begins a new generation; a result from an earlier one changes nothing.
- **Without a permit** a result always applies: success closes; failure adds to an open circuit
  without moving `retry_at`, and opens a half open one again.

A *change* is one of the functions below that take the state, the time, a fresh generation number
and one argument of plain data, and return the next state (the same object if nothing changed) and
an answer. So a store can apply a change wherever its states live, by name if need be. Times are
seconds on the clock of the store.
"""

from enum import StrEnum
from functools import lru_cache
from math import ceil, inf
from typing import NamedTuple

from .policy import HARD, UNCOUNTED, FailureType, Rules

# Failures told to an open circuit remember only the latest times and types, so that telling stays
# cheap and the state small; `Open.total` counts them all.
REMEMBERED = 32


class Closed(NamedTuple):
    """Everybody may run.

    Attributes:
        times: When the counted failures happened, oldest first; some may have left the window.
        types: Types of the failures told, oldest first; those without a type are left out.
        soft_at: When the last failure happened that was not hard.
        touched: When anything was last noted here.
        generation: Number of the state; 0 for one that never opened.
    """

    times: tuple[float, ...]
    types: tuple[FailureType, ...]
    soft_at: float
    touched: float
    generation: int


class Open(NamedTuple):
    """Nobody may run before `retry_at`; one probe at a time from then on.

    Attributes:
        times: When the latest `REMEMBERED` failures happened, oldest first.
        types: Their types, oldest first; those without a type are left out.
        total: Failures that opened it and failures told since.
        retry_at: When it becomes half open.
        probe_until: When the lease of the running probe ends; -inf without a probe.
        generation: Number of the state; with a probe running, that of its permit.
    """

    times: tuple[float, ...]
    types: tuple[FailureType, ...]
    total: int
    retry_at: float
    probe_until: float
    generation: int


State = Closed | Open

# What is known of an agent of which nothing is known. A store keeps nothing for it.
HEALTHY = Closed(times=(), types=(), soft_at=-inf, touched=-inf, generation=0)

# Telling a failure builds one state; this takes 100 ns of it, calling the class 260.
_new = tuple.__new__

# Most agents fail with one type: sharing these saves 48 bytes an agent.
_ONE = {failure_type: (failure_type,) for failure_type in FailureType}


class Phase(StrEnum):
    """How a state is called at a given time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Refusal(NamedTuple):
    """Why nobody may run now.

    Attributes:
        reason: For people.
        retry_after: Seconds, above 0; while a probe runs, until its lease ends at the latest.
    """

    reason: str
    retry_after: float


# Questions


def phase(state: State, now: float) -> Phase:
    """What the state is at `now`."""
    if isinstance(state, Closed):
        return Phase.CLOSED
    return Phase.OPEN if now < state.retry_at else Phase.HALF_OPEN


def blocked_for(state: State, now: float) -> float:
    """Seconds until somebody may run, at the latest; 0 if somebody may now."""
    if isinstance(state, Closed):
        return 0.0
    return max(state.retry_at - now, state.probe_until - now, 0.0)


def refusal_reason(state: State, now: float) -> str:
    """Why nobody may run now, for people; empty if somebody may."""
    if isinstance(state, Closed):
        return ""
    if now < state.retry_at:
        return _open_reason(state.total, ceil(state.retry_at - now))
    if now < state.probe_until:
        return f"Circuit half open: {_failures(state.total)}, a probe is running"
    return ""


# Many callers ask within the same second; each text is some 100 bytes.
@lru_cache(maxsize=256)
def _open_reason(total: int, seconds: int) -> str:
    return f"Circuit open: {_failures(total)}, retry in {seconds}s"


def _failures(total: int) -> str:
    return "1 failure" if total == 1 else f"{total} failures"


def recent(state: State, now: float, rules: Rules) -> tuple[float, ...]:
    """The times of the failures that lie within the window at `now`, oldest first."""
    edge = now - rules.window
    times = state.times
    return times if not times or times[0] >= edge else tuple(t for t in times if t >= edge)


def next_failure_opens(state: Closed, now: float, rules: Rules) -> bool:
    """Whether a failure at `now` opens the circuit, if it is hard and may fast-fail."""
    times = (*recent(state, now, rules), now)
    return _opens(times, state.soft_at, now, rules, True)


def _opens(
    times: tuple[float, ...], soft_at: float, now: float, rules: Rules, fast_fail: bool
) -> bool:
    """Whether the last of these failures, all within the window, opens the circuit."""
    failures = len(times)
    if failures >= rules.threshold:
        return True
    close = rules.fast_fail_threshold
    if not fast_fail or failures < close:
        return False
    edge = now - rules.fast_fail_window
    return times[-close] >= edge and not (rules.fast_fail_hard_only and soft_at >= edge)


def recent_types(state: State, now: float, rules: Rules) -> tuple[FailureType, ...]:
    """The types noted; none once a closed circuit was left alone for a whole window."""
    if isinstance(state, Closed) and state.touched < now - rules.window:
        return ()
    return state.types


def idle_since(state: State) -> float:
    """When the state began to wait for something to happen to it; may lie ahead."""
    if isinstance(state, Closed):
        return state.touched
    return max(state.retry_at, state.probe_until)


# Changes


# What `fail` is told: the rules of the agent, the type if it is known, whether this failure may
# open the circuit by the fast-fail rule, the generation of the permit that tells it if one does.
Failure = tuple[Rules, FailureType | None, bool, int | None]


def admit(state: State, now: float, fresh: int, lease: float) -> tuple[State, int | Refusal]:
    """Let a caller in, as the probe if half open; the answer is its permit's generation."""
    if isinstance(state, Closed):
        return state, state.generation
    wait = blocked_for(state, now)
    if wait > 0:
        return state, Refusal(refusal_reason(state, now), wait)
    return state._replace(probe_until=now + lease, generation=fresh), fresh


def fail(state: State, now: float, fresh: int, failure: Failure) -> tuple[State, Open | None]:
    """Take a failure into account; the answer is the new state if that opened the circuit."""
    rules, failure_type, fast_fail, permit = failure
    if permit is not None and permit < state.generation:
        return state, None
    if failure_type in UNCOUNTED:
        noted = state if failure_type is FailureType.CHECK_FAILED else _note(state, now, rules)
        return release(noted, now, fresh, permit)
    if isinstance(state, Closed):
        times, types, soft_at, touched, generation = state
        edge = now - rules.window
        if touched < edge:
            times = types = ()
        elif times and times[0] < edge:
            times = recent(state, now, rules)
        times = (*times, now)
        if failure_type is not None:
            types = _with(types, failure_type)
        if failure_type not in HARD:
            soft_at = now
        if not _opens(times, soft_at, now, rules, fast_fail):
            return _new(Closed, (times, types, soft_at, now, generation)), None
        total = len(times)
    else:
        times, types, total, retry_at, probe_until, generation = state
        times = (*times[1 - REMEMBERED :], now)
        if failure_type is not None:
            types = _with(types, failure_type)
        total += 1
        if now < retry_at:
            return _new(Open, (times, types, total, retry_at, probe_until, generation)), None
    opened = Open(times, types, total, now + rules.reset_timeout, -inf, fresh)
    return opened, opened


def succeed(state: State, now: float, fresh: int, permit: int | None) -> tuple[State, None]:
    """Take a success into account: it closes, unless its permit is from an earlier generation."""
    if isinstance(state, Closed) or (permit is not None and permit < state.generation):
        return state, None
    return _closed(now, fresh), None


def release(state: State, now: float, fresh: int, permit: int | None) -> tuple[State, None]:
    """Give the slot of a probe back; any other permit holds nothing."""
    if isinstance(state, Open) and permit == state.generation:
        return state._replace(probe_until=-inf), None
    return state, None


def forget(state: State, now: float, fresh: int, argument: None) -> tuple[State, None]:
    """Close, and forget everything except which permits are stale."""
    if isinstance(state, Open):
        return _closed(now, fresh), None
    return (_closed(now, state.generation) if state.generation else HEALTHY), None


def _closed(now: float, generation: int) -> Closed:
    return HEALTHY._replace(touched=now, generation=generation)


def _note(state: State, now: float, rules: Rules) -> State:
    """The state with a rate limit among its types and nothing else changed."""
    types = _with(recent_types(state, now, rules), FailureType.RATE_LIMIT)
    if isinstance(state, Closed):
        return state._replace(types=types, touched=now)
    return state._replace(types=types)


def _with(types: tuple[FailureType, ...], latest: FailureType) -> tuple[FailureType, ...]:
    return (*types[1 - REMEMBERED :], latest) if types else _ONE[latest]
