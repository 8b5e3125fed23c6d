"""Which failures count, how many open a circuit, and for how long: numbers and kinds.

Per failure type:

===================  =======  ==========================================
type                 counts   may fast-fail an adhoc agent
===================  =======  ==========================================
`HARD` types         yes      yes: trying again soon cannot help
the others, or none  yes      no: they pass (a timeout, a lost connection)
`UNCOUNTED` types    no       no: not the agent's fault
===================  =======  ==========================================

For a regular agent every type that counts may fast-fail.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class FailureType(StrEnum):
    """What went wrong with one attempt. The members are strings: `"timeout"` serves as well."""

    TIMEOUT = "timeout"
    ERROR_PATTERN = "error_pattern"
    INFERENCE = "inference"
    CRASH = "crash"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID_MODEL = "invalid_model"
    INVALID_REQUEST = "invalid_request"
    RATE_LIMIT = "rate_limit"
    CONNECTION = "connection"
    CHECK_FAILED = "check_failed"


HARD = frozenset(
    {
        FailureType.CRASH,
        FailureType.ERROR_PATTERN,
        FailureType.AUTH,
        FailureType.FORBIDDEN,
        FailureType.NOT_FOUND,
        FailureType.INVALID_MODEL,
        FailureType.INVALID_REQUEST,
    }
)

# A rate limit is the provider's doing; a failed check means that the agent answered.
UNCOUNTED = frozenset({FailureType.RATE_LIMIT, FailureType.CHECK_FAILED})


def failure_type_of(error: Exception) -> FailureType:
    """The type of a failure that is known only by the exception it ended in."""
    if isinstance(error, TimeoutError):
        return FailureType.TIMEOUT
    if isinstance(error, ConnectionError):
        return FailureType.CONNECTION
    return FailureType.CRASH


class Kind(StrEnum):
    """The kinds of agent that have rules of their own, as people read them in a log line."""

    REGULAR = "agent"
    ADHOC = "adhoc agent"


KindOf = Callable[[str], Kind]

# Whole words only, so that "regenerated-data" is a regular agent; `_` and digits end a word too.
_ADHOC_WORD = re.compile(
    r"(?<![^\W\d_]) (?: ad[-_]?hoc | generated | dynamic | inferred ) (?![^\W\d_])",
    re.IGNORECASE | re.VERBOSE,
)


def kind_by_name(agent_id: str) -> Kind:
    """Adhoc if the id holds one of the words adhoc, ad-hoc, generated, dynamic, inferred."""
    letters = agent_id.lower()
    # To find that none is there takes a third of the time that the search takes.
    if not (
        "hoc" in letters or "generated" in letters or "dynamic" in letters or "inferred" in letters
    ):
        return Kind.REGULAR
    return Kind.ADHOC if _ADHOC_WORD.search(agent_id) else Kind.REGULAR


def always_regular(agent_id: str) -> Kind:
    """Regular, whatever the id: for programs in which names mean nothing."""
    return Kind.REGULAR


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Opens a circuit when too large a share of its calls fail, beside the other conditions.

    Two failures open a circuit long before a rate does, unless `failure_threshold` and
    `fast_fail_threshold` are raised out of its way. Every call is counted then, so that a healthy
    agent costs memory too.

    Attributes:
        share: Of the calls in the failure window; above 0, at most 1.
        minimum_calls: With fewer calls in the window there is no rate; at least 1.

    Raises:
        ValueError: A value out of its bounds.
    """

    share: float = 0.5
    minimum_calls: int = 20

    def __post_init__(self) -> None:
        _check_rate(self.share, self.minimum_calls)


@dataclass(frozen=True, slots=True)
class SlowCalls:
    """Opens a circuit when too large a share of its calls take too long, whatever their result.

    Calls are timed from permit to result; what is told without a permit has no duration, and
    counts as quick. Every call is counted, so that a healthy agent costs memory too.

    Attributes:
        longer_than: Seconds; a call that takes longer is slow. Above 0.
        share: Of the calls in the failure window; above 0, at most 1.
        minimum_calls: With fewer calls in the window there is no rate; at least 1.

    Raises:
        ValueError: A value out of its bounds.
    """

    longer_than: float
    share: float = 0.5
    minimum_calls: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.longer_than < math.inf:
            raise ValueError(f"longer_than must be above 0 and finite, not {self.longer_than!r}")
        _check_rate(self.share, self.minimum_calls)


def _check_rate(share: float, minimum_calls: int) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share!r}")
    if minimum_calls < 1:
        raise ValueError(f"minimum_calls must be at least 1, not {minimum_calls!r}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Makes each opening that follows a failed probe longer than the one before.

    Opening n lasts `reset_timeout * factor ** n` seconds, but at most `maximum`; a random part of
    that, up to the share `jitter`, is taken off, so that the many who lost one service together
    do not come back together. The first opening is jittered too. Closing starts anew.

    Attributes:
        factor: At least 1.
        maximum: Seconds, the cap; above 0. A longer `reset_timeout` is capped as well.
        jitter: From 0 up to 1.

    Raises:
        ValueError: A value out of its bounds.
    """

    factor: float = 2.0
    maximum: float = 3600.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor must be at least 1 and finite, not {self.factor!r}")
        if not 0 < self.maximum < math.inf:
            raise ValueError(f"maximum must be above 0 and finite, not {self.maximum!r}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter must be from 0 to 1, not {self.jitter!r}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What opens the circuit of one kind of agent, and for how long.

    Attributes:
        kind: Whose rules these are.
        threshold: Failures within `window` that open it, at least 1.
        window: Seconds for which a failure counts.
        fast_fail_threshold: Failures within `fast_fail_window` that open it, at least 1.
        fast_fail_window: Seconds.
        fast_fail_hard_only: Every failure within `fast_fail_window` must be `HARD` for that.
        reset_timeout: Seconds from opening until a probe may run.
        failure_rate: A further condition that opens it; None: none.
        slow_calls: A further condition that opens it; None: none.
        backoff: How openings grow; None: each lasts `reset_timeout`.
        counts_calls: Whether there is a condition that needs to know of successes too.

    Raises:
        ValueError: A threshold below 1, a time that is negative or not finite, or calls to be
            counted in a window of no length.
    """

    kind: Kind
    threshold: int
    window: float
    fast_fail_threshold: int
    fast_fail_window: float
    fast_fail_hard_only: bool
    reset_timeout: float
    failure_rate: FailureRate | None = None
    slow_calls: SlowCalls | None = None
    backoff: Backoff | None = None
    counts_calls: bool = field(init=False)

    def __post_init__(self) -> None:
        for name in ("threshold", "fast_fail_threshold"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name in ("window", "fast_fail_window", "reset_timeout"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} must be finite and not negative, not {seconds!r}")
        counts_calls = self.failure_rate is not None or self.slow_calls is not None
        if counts_calls and not self.window:
            raise ValueError("a rate needs a window above 0")
        object.__setattr__(self, "counts_calls", counts_calls)
