"""Where the agents of one test live, and who of them is still there."""

from __future__ import annotations

import os
import time
from pathlib import Path


class Workplace:
    """A home, a folder to work in, and a mark in the environment of whoever is started here.

    Attributes:
        home: The agents' home.
        work: The folder that they work in.
        variables: For their environment.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self._mark = f"AURORA_TEST_PLACE={folder.name}".encode()
        self._folder = str(folder)
        self.variables = {"AURORA_TEST_PLACE": folder.name}

    def left(self) -> list[int]:
        """Who runs here: by the mark in its environment, or by the folder that it works in."""
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self._is_here(pid)]

    def _is_here(self, pid: str) -> bool:
        if int(pid) == os.getpid():
            return False
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                marked = self._mark in file.read()
            return marked or os.readlink(f"/proc/{pid}/cwd").startswith(self._folder)
        except OSError:
            # It has ended: a zombie has no folder, nor anything else.
            return False

    def left_after(self, seconds: float) -> list[int]:
        """Who is still here when there was so much time to go."""
        deadline = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left
