"""How patient to be: limits on time and output, and when to try again; pure.

The presets are promises (see `PRESETS`): other programs choose them by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from aurora_spawner.errors import InvalidTaskError

__all__ = [
    "PRESETS",
    "Isolation",
    "Leftovers",
    "Policy",
    "RetryPolicy",
    "named_policy",
    "positive_seconds",
]

Leftovers: TypeAlias = Literal["kill", "report"]
"""What becomes of processes that an agent leaves running: killed, or let live and named."""

Isolation: TypeAlias = Literal["none", "pid-namespace"]
"""What an agent runs in: nothing special, or a PID namespace that nothing can leave."""


def positive_seconds(field: str, value: float) -> float:
    """Return `value` as seconds.

    Raises:
        InvalidTaskError: It is zero, negative, not a number, infinite or no number at all.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        raise InvalidTaskError(field, f"{value!r} is not a number of seconds") from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidTaskError(field, f"must be more than 0 seconds, not {value!r}")
    return seconds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is tried again.

    The ceiling of the n-th delay is `base * factor ** (n - 1)`, at most `cap` (capped
    exponential backoff). The delay is drawn evenly from the upper half of it, so that many
    agents that failed together do not come back together, and yet each delay is longer than
    the one before.

    Attributes:
        attempts: How often a task is started at most, 1 or more.
        base: Ceiling of the first delay, seconds.
        factor: Growth from one delay to the next.
        cap: No delay is longer, seconds.
    """

    attempts: int = 3
    base: float = 2.0
    factor: float = 2.0
    cap: float = 60.0

    def delay(self, retry: int, draw: float) -> float:
        """Seconds to wait before retry number `retry` (from 1), given `draw` from [0, 1)."""
        try:
            ceiling = min(self.cap, self.base * self.factor ** (retry - 1))
        except OverflowError:
            ceiling = self.cap
        return ceiling * (0.5 + draw / 2)


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient to be with one task.

    Attributes:
        name: What it is called in messages.
        timeout: Seconds an attempt has at first.
        max_timeout: Seconds it may reach while it shows activity; the task's own `timeout`
            bounds it further. A tool that does not stream its work has this from the start,
            since silence says nothing about it.
        first_output_limit: Seconds until a streaming tool has said anything at all; None: no limit
            but the others.
        idle_limit: Seconds without output after which a streaming tool is ended; None: never.
        idle_warns: The idle limit only warns.
        retry: When a failed attempt is tried again.
        use_breaker: Whether a circuit breaker is asked and told.
        output_bytes: Bytes of standard output kept in memory, a quarter of it the head.
        stderr_bytes: Bytes of standard error kept, likewise.
        grace: Seconds between TERM and KILL.
        allow_empty_output: Whether an LLM tool may answer nothing and still succeed.
        leftovers: What becomes of processes that an agent leaves running.
        keep: Names of programs that are let live all the same, such as `gpg-agent`.
        isolation: What the agent runs in.
        inner_retries: Whether the tool may retry by itself what its provider refuses. False turns
            that off where the tool can, so that a failure is known in seconds.
    """

    name: str = "default"
    timeout: float = 60.0
    max_timeout: float = 300.0
    idle_limit: float | None = 30.0
    first_output_limit: float | None = None
    idle_warns: bool = False
    retry: RetryPolicy = RetryPolicy()
    use_breaker: bool = True
    output_bytes: int = 8 * 2**20
    stderr_bytes: int = 2**20
    grace: float = 5.0
    allow_empty_output: bool = False
    leftovers: Leftovers = "kill"
    keep: tuple[str, ...] = ()
    isolation: Isolation = "none"
    inner_retries: bool = True


PRESETS: Mapping[str, Policy] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Policy(),
            Policy("patient", timeout=120.0, max_timeout=600.0, idle_limit=120.0),
            Policy(
                "production", timeout=120.0, max_timeout=600.0, idle_limit=60.0, idle_warns=True
            ),
            Policy(
                "fast_fail",
                timeout=60.0,
                max_timeout=60.0,
                idle_limit=15.0,
                retry=RetryPolicy(attempts=1),
            ),
            Policy(
                "development",
                timeout=1800.0,
                max_timeout=1800.0,
                idle_limit=None,
                retry=RetryPolicy(attempts=1),
                use_breaker=False,
            ),
        )
    }
)
"""The presets by name."""


def named_policy(policy: Policy | str | None) -> Policy:
    """Return the policy itself, the preset of that name, or `default` for None.

    Raises:
        InvalidTaskError: No preset has that name.
    """
    if isinstance(policy, Policy):
        return policy
    try:
        return PRESETS[policy or "default"]
    except KeyError:
        raise InvalidTaskError(
            "policy", f'no preset is called "{policy}"; there are {", ".join(PRESETS)}'
        ) from None
