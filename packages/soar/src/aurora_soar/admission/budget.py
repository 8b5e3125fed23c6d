"""What a run may cost: reserved before a start, settled by what the agent tells; pure.

What an attempt will cost is not known before. What is reserved for it is the most that an attempt
of the same agent has cost so far; for an agent's first one, the most of any agent; for the first
of all, an even share of the limit. So a plan's first wave is let in whole, and every later start
is held against what was learnt.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["WARN_AT", "Budget", "Unit"]

Unit = Literal["USD", "tokens"]

WARN_AT = 0.8
"""Share of the limit at which people are warned: late enough to matter, early enough to act."""


class Budget:
    """A cap on cost or on tokens.

    Args:
        limit: How much, in `unit`.
        unit: US dollars or tokens.
        shares: How many attempts the first of all is taken to be one of.

    Attributes:
        spent: What was told so far.
    """

    def __init__(self, limit: float, unit: Unit, shares: int) -> None:
        self.limit = limit
        self.unit = unit
        self.spent = 0.0
        self._share = limit / max(shares, 1)
        self._reserved = 0.0
        self._most: dict[str, float] = {}

    def expected(self, agent_id: str) -> float:
        """What an attempt of the agent is taken to cost."""
        if agent_id in self._most:
            return self._most[agent_id]
        return max(self._most.values(), default=self._share)

    def has_room(self, agent_id: str) -> bool:
        """Whether an attempt of the agent fits beside what is spent and reserved."""
        return self.spent + self._reserved + self.expected(agent_id) <= self.limit

    def never_fits(self, agent_id: str) -> bool:
        """Whether waiting is in vain: it would not fit even if all that runs cost nothing."""
        return self.spent + self.expected(agent_id) > self.limit

    def reserve(self, agent_id: str) -> float:
        """Set aside what an attempt of the agent is taken to cost; returns how much."""
        amount = self.expected(agent_id)
        self._reserved += amount
        return amount

    def settle(self, agent_id: str, reserved: float, cost: float | None) -> None:
        """Put what an attempt did cost in the place of what was reserved for it.

        Args:
            agent_id: Whose attempt it was.
            reserved: What `reserve` returned.
            cost: What it told; None if it told nothing.
        """
        self._reserved = max(self._reserved - reserved, 0.0)
        if cost is None:
            return
        self.spent += cost
        self._most[agent_id] = max(cost, self._most.get(agent_id, 0.0))

    def __str__(self) -> str:
        if self.unit == "USD":
            return f"budget of ${self.limit:.2f} reached (${self.spent:.2f} spent)"
        return f"budget of {self.limit:,.0f} tokens reached ({self.spent:,.0f} spent)"
