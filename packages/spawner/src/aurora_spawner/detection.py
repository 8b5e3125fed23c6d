"""The watch: bytes and times in, "go on" or "stop because" out; pure.

The rules, all in this file:

- A *terminal* pattern on standard error ends the attempt at once: its tool listed it because it
  cannot recover from it. What it may recover from only warns: whether the attempt failed is for its
  exit to say. Standard output is never searched: an agent may well be asked to write about rate
  limits.
- A tool that retries because of its provider's limit is ended if its agent has done nothing yet:
  nothing is lost, and its slot is free. One that has worked goes on, so that its work is paid
  once. Who was refused (`auth`, `forbidden`) may cure that once, by renewing a token; a second time
  shows that it cannot. Where `inner_retries` is off, any retry of the tool's own ends the attempt.
- An attempt whose time is over while its tool retries failed by what the tool retries for.
- The deadline starts at `timeout` and moves with activity, up to `max_timeout`.
- A tool that streams its work and falls silent for `idle_limit` is stalled; so is one that has
  said nothing at all by `first_output_limit`, which then holds in the place of the other. While
  the agent runs a tool of its own, a test suite for example, silence is healthy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aurora_spawner.failures import FailureType

__all__ = [
    "Detection",
    "EarlyDetectionMonitor",
    "Pattern",
    "Retrying",
    "Watch",
    "WatchRules",
    "get_early_detection_monitor",
    "reset_early_detection_monitor",
]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A phrase to look for on standard error, in lower case.

    Attributes:
        needle: The phrase.
        label: What it means, for the reason: `rate limit`.
        failure_type: The kind of failure that it announces.
    """

    needle: bytes
    label: str
    failure_type: FailureType


@dataclass(frozen=True, slots=True)
class WatchRules:
    """What to watch for; all times in seconds.

    Attributes:
        timeout: Deadline at first, after the launch.
        max_timeout: The deadline never moves past this.
        idle_limit: Silence that counts as a stall; None: any silence is fine.
        first_output_limit: Silence from the launch on that counts as a stall; None: `idle_limit`.
        idle_warns: A stall only warns.
        terminal: Patterns that end the attempt.
        inner_retries: Whether the tool may retry by itself.
    """

    timeout: float
    max_timeout: float
    idle_limit: float | None = None
    first_output_limit: float | None = None
    idle_warns: bool = False
    terminal: Sequence[Pattern] = ()
    inner_retries: bool = True


@dataclass(frozen=True, slots=True)
class Detection:
    """Why an attempt is to be ended before it ends by itself.

    Attributes:
        reason: For people.
        failure_type: The kind of failure that it is.
        retry_after: Seconds that the provider asks to wait; None if it does not say.
    """

    reason: str
    failure_type: FailureType
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Retrying:
    """A tool says that it tries again by itself.

    Attributes:
        reason: What it says, for people.
        failure_type: What went wrong.
        retry_after: Seconds that the provider asks to wait; None if it does not say.
    """

    reason: str
    failure_type: FailureType
    retry_after: float | None = None


_REFUSED = (FailureType.AUTH, FailureType.FORBIDDEN)


class Watch:
    """Watches one attempt.

    Args:
        rules: What to watch for.
        started: The launch on the clock of every later `now`, seconds.

    Attributes:
        has_worked: Whether the agent has done something.
        warnings: What was noticed and did not end it.
    """

    __slots__ = (
        "_checked",
        "_deadline",
        "_idle_warned",
        "_last_activity",
        "_overlap",
        "_refusals",
        "_retrying",
        "_rules",
        "_spoke",
        "_started",
        "_tail",
        "_tools_running",
        "has_worked",
        "warnings",
    )

    def __init__(self, rules: WatchRules, started: float) -> None:
        self._rules = rules
        self._started = started
        self._last_activity = started
        self._checked = started
        self._deadline = started + rules.timeout
        self._spoke = False
        self._idle_warned = False
        # A phrase may be cut by the border of two chunks: carry all of it but one byte over.
        self._overlap = max((len(pattern.needle) for pattern in rules.terminal), default=1) - 1
        self._tail = b""
        self._refusals = 0
        # What the tool tries again for; None since the agent has worked.
        self._retrying: Retrying | None = None
        self._tools_running = 0
        self.has_worked = False
        self.warnings: list[str] = []

    def saw(self, stream: str, data: bytes, now: float) -> Detection | None:
        """Take output as it comes; say whether to stop because of it."""
        self._last_activity = now
        self._spoke = True
        self._idle_warned = False
        if stream != "stderr" or not self._rules.terminal:
            return None
        text = self._tail + data.lower()
        self._tail = text[-self._overlap :] if self._overlap else b""
        for pattern in self._rules.terminal:
            if pattern.needle in text:
                reason = f"Early detection: {pattern.label} pattern detected"
                return Detection(reason, pattern.failure_type)
        return None

    def worked(self, tools_running: int | None = None) -> None:
        """The agent did something, and runs so many tools of its own now; None: as before."""
        self.has_worked = True
        self._retrying = None
        if tools_running is not None:
            self._tools_running = tools_running

    def retries(self, retrying: Retrying) -> Detection | None:
        """The tool retries by itself; say whether to end it instead."""
        if self._rules.inner_retries and (self.has_worked or not self._in_vain(retrying)):
            self.warnings.append(retrying.reason)
            self._retrying = retrying
            return None
        reason = f"Early detection: {retrying.reason}"
        return Detection(reason, retrying.failure_type, retrying.retry_after)

    def _in_vain(self, retrying: Retrying) -> bool:
        """Whether nobody should wait for this retry."""
        if retrying.failure_type in _REFUSED:
            self._refusals += 1
        return retrying.failure_type is FailureType.RATE_LIMIT or self._refusals > 1

    def shift(self, seconds: float) -> None:
        """Move every time by so much: the attempt was paused."""
        self._started += seconds
        self._deadline += seconds
        self._last_activity += seconds
        self._checked += seconds

    def due(self) -> float:
        """The time at which `check` has to be asked next, whatever is seen until then."""
        due = self._deadline
        limit = self._silence_limit()
        if limit is not None and not self._idle_warned:
            due = min(due, self._last_activity + limit)
        if self._rules.idle_limit is not None:
            # Silence that is healthy now may count from any moment on: a tool has ended, say.
            due = min(due, self._checked + self._rules.idle_limit)
        return due

    def _silence_limit(self) -> float | None:
        """How long it may be silent now, seconds; None for ever."""
        if self._tools_running:
            return None
        first = self._rules.first_output_limit
        return self._rules.idle_limit if self._spoke or first is None else first

    def check(self, now: float) -> Detection | None:
        """Say whether silence or the deadline ends the attempt now."""
        rules = self._rules
        self._checked = now
        if now >= self._deadline:
            # Activity moves the deadline to one further `timeout` after it was last seen.
            active = now if self._tools_running else self._last_activity
            self._deadline = min(self._started + rules.max_timeout, active + rules.timeout)
            if now >= self._deadline:
                waited = self._deadline - self._started
                return self._over(f"Timeout after {waited:g}s")
        limit = self._silence_limit()
        if limit is not None and now >= self._last_activity + limit:
            silence = f"no output for {limit:g}s"
            if not rules.idle_warns:
                return self._over(f"Early detection: {silence}")
            if not self._idle_warned:
                self._idle_warned = True
                self.warnings.append(silence)
        return None

    def _over(self, reason: str) -> Detection:
        """Its time is over: what that says of the agent."""
        retrying = self._retrying
        if retrying is None:
            return Detection(reason, FailureType.TIMEOUT)
        told = f"{reason}; {retrying.reason}"
        return Detection(told, retrying.failure_type, retrying.retry_after)


@dataclass(frozen=True, slots=True)
class Noticed:
    """One early end: whose it was, why, and seconds from its launch to the decision."""

    agent_id: str | None
    detection: Detection
    after: float


class EarlyDetectionMonitor:
    """The early ends of this process, newest last: what the watches decided, for people to see.

    Keeps the last 1,000.
    """

    def __init__(self) -> None:
        self._noticed: deque[Noticed] = deque(maxlen=1000)

    def record(self, agent_id: str | None, detection: Detection, after: float) -> None:
        """Note that `detection` ended an attempt of `agent_id`, `after` seconds from its launch."""
        self._noticed.append(Noticed(agent_id, detection, after))

    @property
    def noticed(self) -> tuple[Noticed, ...]:
        """Every early end since the last reset."""
        return tuple(self._noticed)

    def reset(self) -> None:
        """Forget everything."""
        self._noticed.clear()


_monitor = EarlyDetectionMonitor()


def get_early_detection_monitor() -> EarlyDetectionMonitor:
    """The monitor of this process."""
    return _monitor


def reset_early_detection_monitor() -> None:
    """Forget every early end of this process; for tests."""
    _monitor.reset()
