"""A small disk of its own, which can be full. Needs a mount namespace; `make chaos` makes one."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

__all__ = ["Disk"]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)


class Disk:
    """What is mounted at a folder, or the folder itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"

    def mount(self, size: int) -> None:
        """Have a disk of `size` bytes there."""
        options = f"size={size},mode=700"
        _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder))

    def enlarge(self) -> None:
        """Have room, as when somebody has tidied up."""
        _run("mount", "-o", "remount,size=1g", str(self._folder))

    def unmount(self) -> None:
        """Have it gone, and what was on it."""
        _run("umount", str(self._folder))

    def fill(self) -> None:
        """Leave no room on it."""
        ballast = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with contextlib.suppress(OSError):
            while os.write(ballast, bytes(4096)):
                pass
        os.close(ballast)

    def free(self) -> None:
        """Take back what `fill` took."""
        self._ballast.unlink(missing_ok=True)
