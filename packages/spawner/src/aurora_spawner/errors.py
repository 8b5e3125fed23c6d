"""The error tree: what is raised when the library is misused.

What an agent does wrong is never raised: it comes back as a `SpawnResult` with
`success=False`. These are raised before anything starts.

    SpawnError
    ├── InvalidTaskError (also a ValueError)    a task, a limit or a command that cannot be run
    └── UnknownToolError (also a ValueError)    a tool name nobody registered
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["InvalidTaskError", "SpawnError", "UnknownToolError"]


class SpawnError(Exception):
    """Base of everything this package raises on purpose."""


class InvalidTaskError(SpawnError, ValueError):
    """A task, a limit or a command that cannot be run as it stands.

    Attributes:
        field: Which part is wrong, for example `timeout`.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class UnknownToolError(SpawnError, ValueError):
    """A tool name that is not registered.

    Attributes:
        name: The name that was asked for.
        known: The names that are registered.
    """

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f'unknown tool "{name}"; known tools: {", ".join(known)}')
        self.name = name
        self.known = tuple(known)
