"""A scriptable fake agent: a real process that does, in order, what a test wants an agent to do.

    task = SpawnTask("hello", command=FakeAgent().echo().sleep(0.2).exit(3).argv())

For tests of code that runs agents: slow ones, loud ones, ones that ignore signals, leave daemons
behind, fail twice and then succeed. It starts in about a tenth of the time of an ordinary Python
program and needs nothing but the interpreter that runs the test.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from aurora_spawner.testing import fake_program
from aurora_spawner.testing.proc import is_running

__all__ = ["FakeAgent", "survivors"]

Output: TypeAlias = Literal["stdout", "stderr"]

_SHORT = {"stdin": "in", "stdout": "out", "stderr": "err"}

# What percent-encoding would only make harder to read in a process list.
_PLAIN = frozenset(range(0x20, 0x7F)) - set(b"%,")


@dataclass(frozen=True, slots=True)
class FakeAgent:
    """What a fake agent does, step by step; a method returns a new agent with one step more.

    Without a step it exits with 0 at once and never reads its standard input, as it does after
    its last step. All times are in seconds, all sizes in bytes.

    Attributes:
        steps: The steps as arguments of `fake_program`.
    """

    steps: tuple[str, ...] = ()

    def argv(self) -> tuple[str, ...]:
        """The command that runs it, for `SpawnTask(command=...)` or `subprocess`."""
        return (sys.executable, "-I", "-S", fake_program.__file__, *self.steps)

    def install(self, path: str | os.PathLike[str]) -> Path:
        """Write it as an executable file, so that a folder on PATH can hold a fake `claude`.

        The arguments that it is called with are ignored.
        """
        script = Path(path)
        script.write_text(f"#!/bin/sh\nexec {shlex.join(self.argv())}\n", encoding="utf-8")
        script.chmod(0o755)
        return script

    # Standard input

    def echo(self) -> FakeAgent:
        """Write standard input to standard output, as it comes, until it ends."""
        return self._then("echo")

    def read(self, size: int | None = None) -> FakeAgent:
        """Read `size` bytes of standard input; None: all of it."""
        return self._then("read") if size is None else self._then(f"read={size}")

    # Output

    def write(
        self,
        text: str | bytes,
        *,
        to: Output = "stdout",
        cut: int | None = None,
        pause: float = 0.05,
    ) -> FakeAgent:
        """Write text or bytes as they are: no newline is added.

        Args:
            text: At most about 40 kB, since it is passed as an argument; see `fill` for more.
            to: The stream.
            cut: Write that many bytes, pause, and write the rest, so that a reader gets two chunks.
            pause: How long to pause at the cut.
        """
        data = text.encode() if isinstance(text, str) else text
        if cut is not None:
            return self.write(data[:cut], to=to).sleep(pause).write(data[cut:], to=to)
        return self._then(f"{_SHORT[to]}={_encoded(data)}")

    def fill(self, size: int, pattern: str | bytes = b"x", *, to: Output = "stdout") -> FakeAgent:
        r"""Write exactly `size` bytes: `pattern` over and over, the last one cut off.

        Without a newline in the pattern it is one long line; `b"\0"`, `b"\xff"` or `"\033[31m"`
        are worth trying.

        Raises:
            ValueError: The pattern is empty.
        """
        data = pattern.encode() if isinstance(pattern, str) else pattern
        if not data:
            raise ValueError("the pattern is empty")
        return self._then(f"fill={_SHORT[to]},{size},{_encoded(data)}")

    def progress(self, steps: int = 10, pause: float = 0.02) -> FakeAgent:
        """Show a progress bar on standard error: one line, rewritten with carriage returns."""
        return self._then(f"progress={steps},{pause}")

    def close(self, stream: Literal["stdin", "stdout", "stderr"]) -> FakeAgent:
        """Close a stream, and go on."""
        return self._then(f"close={_SHORT[stream]}")

    # Time and memory

    def sleep(self, seconds: float) -> FakeAgent:
        """Do nothing for a while."""
        return self._then(f"sleep={seconds}")

    def hang(self) -> FakeAgent:
        """Do nothing for ever."""
        return self._then("hang")

    def allocate(self, size: int) -> FakeAgent:
        """Hold that much memory, really used, until the end."""
        return self._then(f"allocate={size}")

    # Signals

    def ignore(self, number: signal.Signals = signal.SIGTERM) -> FakeAgent:
        """Ignore a signal from now on; so does what is forked later."""
        return self._then(f"ignore={int(number)}")

    def stop(self) -> FakeAgent:
        """Stop (SIGSTOP) until somebody sends CONT."""
        return self._then("stop")

    # Descendants

    def fork(
        self,
        agent: FakeAgent | None = None,
        *,
        setsid: bool = False,
        double: bool = False,
        scrubbed: bool = False,
        quiet: bool = False,
    ) -> FakeAgent:
        """Fork a process that does the steps of `agent`, and go on when it is under way.

        Args:
            agent: What it does; None sleeps for a minute.
            setsid: It has a session, and so a process group, of its own.
            double: The process between the two exits, so that it is nobody's child.
            scrubbed: It has an empty environment.
            quiet: It has /dev/null for its streams; otherwise it holds those of this agent.
        """
        options = {"setsid": setsid, "double": double, "scrubbed": scrubbed, "quiet": quiet}
        chosen = "+".join(name for name, wanted in options.items() if wanted)
        steps = (FakeAgent().sleep(60.0) if agent is None else agent).steps
        return self._then(f"fork={chosen},{_encoded(chr(10).join(steps).encode())}")

    def daemon(self, *, scrubbed: bool = False) -> FakeAgent:
        """Leave a proper daemon behind: forked twice, in its own session, holding no pipe."""
        return self.fork(setsid=True, double=True, quiet=True, scrubbed=scrubbed)

    def record_pids(self, path: str | os.PathLike[str]) -> FakeAgent:
        """Write the process ids of this agent, and of all that it forks later, for `survivors`."""
        return self._then(f"pids={_encoded(os.fsencode(path))}")

    # The end

    def exit(self, code: int) -> FakeAgent:
        """Exit with that code, 0 to 255."""
        return self._then(f"exit={code}")

    def die(self, number: signal.Signals) -> FakeAgent:
        """Die by a signal, without a core dump."""
        return self._then(f"die={int(number)}")

    def fail_first(
        self,
        times: int,
        state: str | os.PathLike[str],
        *,
        code: int = 1,
        message: str = "not this time\n",
    ) -> FakeAgent:
        """Exit with `code` the first times that it is run; afterwards go on.

        Args:
            times: How many runs fail.
            state: A file that counts the runs; it is made by the first one.
            code: Their exit code.
            message: What they write to standard error.
        """
        place, text = _encoded(os.fsencode(state)), _encoded(message.encode())
        return self._then(f"fail_first={times},{code},{place},{text}")

    def _then(self, step: str) -> FakeAgent:
        return replace(self, steps=(*self.steps, step))


def _encoded(data: bytes) -> str:
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02x}" for byte in data)


def survivors(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """The ids of those recorded processes (`FakeAgent.record_pids`) that still run.

    A zombie does not run, nor does a process that has meanwhile got a recorded id.

    Raises:
        FileNotFoundError: No agent has recorded anything there.
    """
    # One that has become another program is recorded twice.
    lines = dict.fromkeys(Path(path).read_text(encoding="ascii").splitlines())
    recorded = [map(int, line.split()) for line in lines]
    return tuple(pid for pid, started in recorded if is_running(pid, started))
