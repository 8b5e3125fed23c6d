"""What the breaker asks of a store."""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from ..state import State

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


class Store(Protocol):
    """Keeps one state for each agent of whom something is known. Thread safe."""

    def update(
        self,
        agent_id: str,
        change: Callable[[State, float, int, Argument], tuple[State, Answer]],
        argument: Argument,
    ) -> Answer:
        """Replace the agent's state by what `change` makes of it, atomically; give its answer.

        `change(state, now, fresh, argument)` is one of the changes of `state.py`: pure, so it may
        be made more than once, or elsewhere by its name and argument. `now` is `self.now()`;
        `fresh` is greater than the generation of any state that this agent had.
        """
        ...

    def get(self, agent_id: str, /) -> State | None:
        """The agent's state; None for one of whom nothing is known, which is healthy."""
        ...

    def now(self) -> float:
        """Seconds on the clock of the store, which never goes back."""
        ...

    def __iter__(self) -> Iterator[str]:
        """The agents of whom something is known at this moment."""
        ...
