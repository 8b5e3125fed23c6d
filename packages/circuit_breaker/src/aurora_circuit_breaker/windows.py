"""What opens a closed circuit: failures and calls within their windows.

Every rule about windows is in this file. Any one of these opens:

- **The threshold**: so many failures within the window. A failure is in it to its last moment.
- **Fast-fail**: so many failures within the shorter fast-fail window; where the rules say hard
  only, every failure in that window must be hard. A failure may be told not to do so.
- **The failure rate**: of the calls in the window, so large a share failed.
- **Slow calls**: of the calls in the window, so large a share took too long.

Rates look at counts and not at single calls, so that any number of calls takes the same room: the
window is kept as `SLICES` slices, the running one included. A call leaves with its slice, when it
is between nine tenths of a window and a whole window old.
"""

from math import floor
from typing import NamedTuple

from .policy import Rules

# Ten are some 1 kB an agent and make the window exact to a tenth.
SLICES = 10


class Slice(NamedTuple):
    """The calls of one tenth of a window.

    Attributes:
        number: Which tenth, counted from the zero of the clock.
        calls: Calls told in it.
        failures: Those that failed.
        slow: Those that took too long.
    """

    number: int
    calls: int
    failures: int
    slow: int


def within(times: tuple[float, ...], edge: float) -> tuple[float, ...]:
    """Those of the times, oldest first, that do not lie before `edge`."""
    return times if not times or times[0] >= edge else tuple(t for t in times if t >= edge)


def failures_open(
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


def counted(
    calls: tuple[Slice, ...], now: float, rules: Rules, failed: bool, slow: bool
) -> tuple[Slice, ...]:
    """The slices of the window at `now`, oldest first, with one more call in the last of them."""
    number = floor(now / (rules.window / SLICES))
    calls = tuple(part for part in calls if part.number > number - SLICES)
    told = failures = slowed = 0
    if calls and calls[-1].number == number:
        _, told, failures, slowed = calls[-1]
        calls = calls[:-1]
    return (*calls, Slice(number, told + 1, failures + failed, slowed + slow))


def rates_open(calls: tuple[Slice, ...], rules: Rules) -> bool:
    """Whether these slices, all within the window, open the circuit."""
    told = sum(part.calls for part in calls)
    failed, slow = rules.failure_rate, rules.slow_calls
    return (
        failed is not None
        and told >= failed.minimum_calls
        and sum(part.failures for part in calls) >= failed.share * told
    ) or (
        slow is not None
        and told >= slow.minimum_calls
        and sum(part.slow for part in calls) >= slow.share * told
    )
