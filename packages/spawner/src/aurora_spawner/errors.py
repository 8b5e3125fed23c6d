"""The error tree: what is raised when the library is misused.

What an agent does wrong is never raised: it comes back as a `SpawnResult` with
`success=False`. These are raised before anything starts.

    SpawnError
    ├── ClusterError                            a cluster that cannot be used as it stands
    ├── InvalidTaskError (also a ValueError)    a task, a limit or a command that cannot be run
    ├── JournalError                            a journal that cannot be used as it stands
    │   ├── JournalDamagedError                     it no longer holds what was written
    │   ├── JournalFileError                        no regular file, no journal, or out of reach
    │   ├── JournalInUseError                       another run holds it
    │   └── JournalVersionError                     a newer version of this package wrote it
    └── UnknownToolError (also a ValueError)    a tool name nobody registered
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ClusterError",
    "InvalidTaskError",
    "JournalDamagedError",
    "JournalError",
    "JournalFileError",
    "JournalInUseError",
    "JournalVersionError",
    "SpawnError",
    "UnknownToolError",
]


class SpawnError(Exception):
    """Base of everything this package raises on purpose."""


class ClusterError(SpawnError):
    """A cluster that cannot be used; the text says what to do.

    Attributes:
        place: Which one.
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place} {problem}; {remedy}")
        self.place = place


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


class JournalError(SpawnError):
    """A journal that cannot be used as it stands; the text says what to do.

    Attributes:
        path: The journal.
    """

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(f"journal {path} {problem}; {remedy}")
        self.path = path


class JournalDamagedError(JournalError):
    """A journal that no longer holds what was written; nothing in it is trusted.

    Attributes:
        path: The journal.
        problem: What was found.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            path,
            f"is damaged ({problem})",
            f"restore it from a copy, or move it and {path}-wal away and start anew",
        )
        self.problem = problem


class JournalFileError(JournalError):
    """A path that cannot be a journal: a link, no regular file, no journal, or out of reach."""


class JournalInUseError(JournalError):
    """A journal that another run holds.

    Attributes:
        path: The journal.
        pid: The process that holds it; None where that cannot be told.
    """

    def __init__(self, path: str, pid: int | None) -> None:
        holder = "another program" if pid is None else f"process {pid}"
        super().__init__(
            path, f"is in use by {holder}", "wait until that has ended, or name another journal"
        )
        self.pid = pid


class JournalVersionError(JournalError):
    """A journal that a newer version of this package wrote.

    Attributes:
        path: The journal.
        version: The journal's version.
        known: The newest version that this package knows.
    """

    def __init__(self, path: str, version: int, known: int) -> None:
        super().__init__(
            path,
            f"has version {version}, and this package knows versions up to {known}",
            "update aurora-spawner, or name another journal",
        )
        self.version = version
        self.known = known
