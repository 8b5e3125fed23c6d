"""What the breaker asks of a store."""

from collections.abc import Container, Iterator
from typing import Protocol, TypeVar

from ..state import Change, State

Argument = TypeVar("Argument")

# How stores outside of this process write what is no text in an agent's id: whatever the id, it
# must not look as if the store were down.
SURROGATES = "surrogatepass"


class StoreDownError(Exception):
    """A store cannot be reached, or cannot answer; the message says why."""


class Store(Protocol):
    """Keeps one state for each agent of whom something is known. Thread safe.

    Its clock shows seconds and never goes back. What each method may raise is `StoreDownError`.

    Attributes:
        held: The agents of whom something is known, where they are held in this process's memory:
            whoever is not among them is healthy, and need not be asked about. None for a store
            that has to go and look: it is slow, and coroutines ask it in a thread of their own.
    """

    @property
    def held(self) -> Container[str] | None: ...

    def update(
        self, agent_id: str, change: Change[Argument], argument: Argument
    ) -> tuple[State, State, float]:
        """Replace the agent's state by what `change` makes of it, atomically.

        `change(state, now, fresh, argument)` is one of the changes of `state.py`: pure, so it may
        be made more than once, or elsewhere by its name and argument. `fresh` is greater than the
        generation of any state that this agent had.

        Returns:
            The state before, the state after (the same object if nothing changed), and `now`.
        """
        ...

    def look(self, agent_id: str, /) -> tuple[State, float]:
        """The agent's state, and the time on the clock of the store."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        ...
