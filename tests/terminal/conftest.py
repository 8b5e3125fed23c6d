"""A real terminal, tmux, that a test looks at and changes the size of."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# A net, seconds: nothing here takes a tenth of it.
PATIENCE = 60


class Terminal:
    """A window of tmux that `aurora-soar` runs in; nobody else's tmux is touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = ""

    def start(
        self,
        *arguments: str,
        width: int,
        height: int,
        before: str = "true",
        alone: bool = False,
    ) -> None:
        """Run the command in a window of that size, alone or in a shell that outlives it."""
        self._socket = f"aurora-test-{os.getpid()}-{time.monotonic_ns()}"
        code = "from aurora_soar.cli import main; main()"
        command = shlex.join([sys.executable, "-P", "-c", code, *arguments])
        shell = f"trap : INT; {before}; {command}; echo code $?; exec cat"
        self._tmux(
            *("-f", "/dev/null", "new-session", "-d", "-s", "test"),
            *("-x", str(width), "-y", str(height), "-c", str(self.folder)),
            *("-e", "LANG=C.UTF-8", "-e", "LC_ALL=C.UTF-8"),
            f"exec {command}" if alone else f"sh -c {shlex.quote(shell)}",
        )

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "test", "-x", str(width), "-y", str(height))

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", "-t", "test", *keys)

    def screen(self, *, colours: bool = False) -> list[str]:
        """What stands on it, line by line, without blank lines at its end."""
        shown = self._tmux("capture-pane", "-p", "-t", "test", *(["-e"] if colours else []))
        return [line.rstrip() for line in shown.rstrip("\n").split("\n")]

    def wait_for(self, condition: Callable[[list[str]], object]) -> list[str]:
        """Wait until something is true of the screen; returns the screen."""
        lines: list[str] = []

        def fits() -> object:
            lines[:] = self.screen()
            return condition(lines)

        self.wait_until(fits, lambda: lines)
        return lines

    def wait_until(
        self, condition: Callable[[], object], say: Callable[[], list[str]] = list
    ) -> None:
        """Wait until something is true of the world."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "\n".join(["it never came true", *say()])
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run(
            ["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False
        )

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        # The window must not learn of a terminal that the tests themselves may run in.
        theirs = ("COLUMNS", "LINES", "TMUX", "NO_COLOR", "FORCE_COLOR")
        environment = {key: value for key, value in os.environ.items() if key not in theirs}
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in an empty folder; what runs in it is ended after the test."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux on PATH")
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()
