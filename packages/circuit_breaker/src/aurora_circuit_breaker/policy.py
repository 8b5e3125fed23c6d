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
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


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


# The search takes longer than everything else that a failure does; 1,024 ids are about 200 kB.
@lru_cache(maxsize=1024)
def kind_by_name(agent_id: str) -> Kind:
    """Adhoc if the id holds one of the words adhoc, ad-hoc, generated, dynamic, inferred."""
    return Kind.ADHOC if _ADHOC_WORD.search(agent_id) else Kind.REGULAR


def always_regular(agent_id: str) -> Kind:
    """Regular, whatever the id: for programs in which names mean nothing."""
    return Kind.REGULAR


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

    Raises:
        ValueError: A threshold below 1, or a time that is negative or not finite.
    """

    kind: Kind
    threshold: int
    window: float
    fast_fail_threshold: int
    fast_fail_window: float
    fast_fail_hard_only: bool
    reset_timeout: float

    def __post_init__(self) -> None:
        for name in ("threshold", "fast_fail_threshold"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        for name in ("window", "fast_fail_window", "reset_timeout"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name} must be finite and not negative, not {seconds!r}")
