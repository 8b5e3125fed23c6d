from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from aurora_spawner import reset_early_detection_monitor
from aurora_spawner.testing import VirtualTimeLoop

# A busy machine is no fault of an example.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Whoever started the tests may ignore signals (nohup, a job in the background), and what is
# started here would go on ignoring them.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTSTP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class SkippingLoop(asyncio.SelectorEventLoop):
    """Real time for real processes, but a test may skip ahead; it remembers every timer."""

    def __init__(self) -> None:
        self.skipped = 0.0
        self.timers: list[asyncio.TimerHandle] = []
        super().__init__()

    def time(self) -> float:
        return super().time() + self.skipped

    def skip(self, seconds: float) -> None:
        """Let the next seconds have passed already."""
        self.skipped += seconds

    def call_at(self, when: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        handle = super().call_at(when, *args, **kwargs)
        self.timers.append(handle)
        return handle

    @property
    def pending_timers(self) -> list[asyncio.TimerHandle]:
        now = self.time()
        return [timer for timer in self.timers if not timer.cancelled() and timer.when() > now]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, type[asyncio.AbstractEventLoop]]:
    """`real` for tests with processes, `virtual` for behaviour; each file says which."""
    return {"real": SkippingLoop, "virtual": VirtualTimeLoop}


@pytest.fixture(autouse=True)
def untouched_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AURORA_SPAWN_TOOL", "AURORA_SPAWN_MODEL"):
        monkeypatch.delenv(name, raising=False)
    reset_early_detection_monitor()
    yield
    reset_early_detection_monitor()


class Lifeline:
    """A named pipe that a process opens: one hears what it says, and that it has gone."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def heard(self) -> bytes:
        """What is said next; empty once everybody who held the pipe has gone."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._reader, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._reader)
        return os.read(self._reader, 4096)

    async def gone(self) -> None:
        """Every process that held the pipe has ended."""
        while await self.heard():
            pass

    def wait_until_gone(self) -> None:
        """The same, while the event loop stands still."""
        os.set_blocking(self._reader, True)
        while os.read(self._reader, 4096):
            pass

    def close(self) -> None:
        os.close(self._reader)


class Gun:
    """A named pipe that a process waits on: `read line < path`."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        # Open for both, so that neither side's opening has to wait for the other.
        self._both = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fire(self) -> None:
        os.write(self._both, b"go\n")

    def close(self) -> None:
        os.close(self._both)


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    pipe = Lifeline(tmp_path / "lifeline")
    yield pipe
    pipe.close()


@pytest.fixture
def gun(tmp_path: Path) -> Iterator[Gun]:
    pipe = Gun(tmp_path / "gun")
    yield pipe
    pipe.close()


_FAKE_CLI = """
import json, os, sys
from pathlib import Path

here, *argv = sys.argv[1:]
here = Path(here)
(here / "stdin").write_bytes(sys.stdin.buffer.read())
(here / "call").write_text(json.dumps({"argv": argv, "env": dict(os.environ)}))
sys.stderr.buffer.write((here / "says_to_stderr").read_bytes())
sys.stderr.flush()
sys.stdout.buffer.write((here / "says").read_bytes())
sys.stdout.flush()
sys.exit(int((here / "exits_with").read_text()))
"""


@dataclass(frozen=True)
class FakeCli:
    """A program on PATH that answers what it was told to, and remembers how it was called."""

    folder: Path

    @property
    def argv(self) -> list[str]:
        """Its arguments, its own name left out."""
        return list(self._call()["argv"])

    @property
    def env(self) -> dict[str, str]:
        return dict(self._call()["env"])

    @property
    def called(self) -> bool:
        return (self.folder / "call").exists()

    @property
    def stdin(self) -> bytes:
        return (self.folder / "stdin").read_bytes()

    def _call(self) -> dict[str, Any]:
        call: dict[str, Any] = json.loads((self.folder / "call").read_text())
        return call


class FakePath:
    """A PATH that holds nothing but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()

    def script(self, name: str, text: str) -> Path:
        """Put a shell script there."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def cli(self, name: str, says: str = "", stderr: str = "", exit_code: int = 0) -> FakeCli:
        """Put an agent CLI there."""
        folder = self.folder.parent / f"fake-{name}"
        folder.mkdir()
        (folder / "says").write_text(says, encoding="utf-8")
        (folder / "says_to_stderr").write_text(stderr, encoding="utf-8")
        (folder / "exits_with").write_text(str(exit_code))
        (folder / "program.py").write_text(_FAKE_CLI)
        command = (sys.executable, "-I", "-S", str(folder / "program.py"), str(folder))
        self.script(name, f'exec {shlex.join(command)} "$@"')
        return FakeCli(folder)


@pytest.fixture
def fake_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePath:
    path = FakePath(tmp_path)
    monkeypatch.setenv("PATH", str(path.folder))
    return path
