"""A folder with programs in it, and the command to run there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MAIN = "from aurora_spawner.cli import main; main()"

# A net, not a measure; in seconds.
PATIENCE = 60


class Command:
    """`aurora-spawn` in a folder of its own, without any agent CLI and without a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.argv = (sys.executable, "-P", "-c", MAIN)
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AURORA_", "COLUMNS"))
        }
        self.env["PATH"] = f"{folder / 'bin'}:/usr/bin:/bin"
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, *words: str, through: tuple[str, ...] = (), **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start it, perhaps `through` another program; streams as pipes, standard input empty."""
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        settings: dict[str, Any] = {"stdin": subprocess.DEVNULL, **pipes, **options}
        process = subprocess.Popen(
            [*through, *self.argv, *words], cwd=self.folder, env=self.env, **settings
        )
        self._started.append(process)
        return process

    def __call__(self, *words: str, given: str | bytes = b"") -> Ended:
        """Run it to its end."""
        data = given.encode() if isinstance(given, str) else given
        process = self.start(*words, stdin=subprocess.PIPE)
        out, err = process.communicate(data, timeout=PATIENCE)
        return Ended(process.returncode, out, err.decode())

    def file(self, name: str, text: str | bytes) -> str:
        """Write a file; its name."""
        data = text.encode() if isinstance(text, str) else text
        (self.folder / name).write_bytes(data)
        return name

    def program(self, name: str, script: str) -> str:
        """Put a shell script on PATH; its name."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return name

    def wait_for(self, name: str) -> str:
        """Wait until a file is there and has a line; its text."""
        deadline = time.monotonic() + PATIENCE
        path = self.folder / name
        while not (path.exists() and path.read_text().endswith("\n")):
            assert time.monotonic() < deadline, f"nobody wrote {name}"
            time.sleep(0.01)
        return path.read_text()

    def close(self) -> None:
        """End what a failed test has left."""
        for process in self._started:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


class Ended:
    """What a run came to."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output, every line of which is an object."""
        return [json.loads(line) for line in self.out.splitlines()]

    def column(self, name: str) -> list[Any]:
        """One field of every line."""
        return [line[name] for line in self.lines]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Command]:
    """The command."""
    command = Command(tmp_path)
    yield command
    command.close()
