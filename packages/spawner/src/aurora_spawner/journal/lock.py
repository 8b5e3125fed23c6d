"""One run per journal: a lock of the operating system, which ends with its holder.

The lock lies on a file of its own, `<journal>-lock`, not on the journal: closing a second
descriptor of a file that SQLite has open would drop SQLite's locks on it. The file says who
holds it; after a clean end it is gone, after a crash it stays and means nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from aurora_spawner.errors import JournalInUseError

__all__ = ["Lock"]

# A killed process keeps its locks until the kernel has taken it down, seconds.
_PATIENCE = 0.5
_PAUSE = 0.02


class Lock:
    """Held from its making to `release`.

    Args:
        journal: What it stands for.

    Raises:
        JournalInUseError: Somebody else holds it.
        OSError: The lock's file cannot be made, or is a symbolic link.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}-lock")
        patience = time.monotonic() + _PATIENCE
        while (descriptor := self._try(journal, patience)) is None:
            time.sleep(_PAUSE)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it; the file goes first, so that nobody can lock what is going away."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._descriptor)

    def _try(self, journal: Path, patience: float) -> int | None:
        """The descriptor that holds the lock; None: try again."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.ExitStack() as undo:
            descriptor = os.open(self._path, flags, 0o600)
            undo.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < patience:
                    return None
                raise JournalInUseError(str(journal), _holder(descriptor)) from None
            if not self._is_still(descriptor):
                return None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            undo.pop_all()
            return descriptor

    def _is_still(self, descriptor: int) -> bool:
        """Whether the locked file is the one at the path: its last holder may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


def _holder(descriptor: int) -> int | None:
    """The process id in the file."""
    said = os.pread(descriptor, 32, 0).strip()
    return int(said) if said.isdigit() else None
