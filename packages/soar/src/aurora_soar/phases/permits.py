"""The permits of one assignment: the first is taken before the attempts, the others by them."""

from __future__ import annotations

from aurora_circuit_breaker import CircuitBreaker, Permit
from aurora_spawner import SpawnResult, failure_type_of

__all__ = ["Permits"]


class Permits:
    """The gate of one assignment, always asked under its agent's own id.

    The first permit is asked for when this is made, so that an open circuit is known before
    anything else is done; the first attempt then gets it, and each later one takes its own.

    Args:
        breaker: Gives them.
        agent_id: Whose they are.
        lease: Seconds that an attempt takes at most, its check included. Whoever runs the
            attempts knows nothing of checks, and asks for less.
    """

    def __init__(self, breaker: CircuitBreaker, agent_id: str, lease: float) -> None:
        self._breaker = breaker
        self._agent_id = agent_id
        self._lease = lease
        self.first = breaker.admit(agent_id, lease)
        self.used = False

    def admit(self, agent_id: str, lease: float) -> Permit:
        """See `aurora_spawner.Gate`."""
        if self.used:
            return self._breaker.admit(self._agent_id, max(lease, self._lease))
        self.used = True
        return self.first

    def should_skip(self, agent_id: str) -> tuple[bool, str]:
        """Whether an attempt would be refused now, and why."""
        return self._breaker.should_skip(self._agent_id)

    def settle(self, result: SpawnResult | None) -> None:
        """Settle the first permit if no attempt did: whoever ran the task asked no gate.

        Args:
            result: What came of the task; None if nothing did. A fallback's result says nothing
                about the agent.
        """
        if self.used:
            return
        if result is None or result.fallback:
            self.first.release()
        elif result.success:
            self.first.success()
        else:
            self.first.failure(failure_type_of(result))
