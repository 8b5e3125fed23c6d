"""The agents under fire: what each kind does, and what has to become of it when nobody disturbs it.

Each writes into two ledgers, with programs that know nothing of ours: when it has begun, and when
it has said all that it had to say.
"""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from aurora_spawner.testing import FakeAgent

__all__ = ["KINDS", "Agent", "Kind"]

_FLOOD = 200_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to behave.

    Attributes:
        succeeds: What becomes of it when nobody disturbs it.
        timeout: What its attempt is given, seconds.
        outside: Does something that only the commands' own tree can clean up after.
    """

    succeeds: bool
    timeout: float = 60.0
    outside: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "answers": Kind(True),
        "floods": Kind(True),
        "trickles": Kind(True),
        "reads nothing": Kind(True),
        "leaves children": Kind(True),
        "leaves a hidden daemon": Kind(True, outside=True),
        "fails": Kind(False),
        "crashes": Kind(False),
        "hangs": Kind(False, timeout=0.5),
        "wants too much memory": Kind(False),
        "wants too much time": Kind(False),
    }
)
"""Every kind there is, by its name."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of an experiment.

    Attributes:
        name: Without blanks.
        kind: One of `KINDS`.
        seconds: How long it works.
        prompt_size: Bytes that it is asked.
        needs: The agents that it builds on, where the target knows such a thing.
        retries: Further attempts, likewise.
    """

    name: str
    kind: str
    seconds: float
    prompt_size: int
    needs: tuple[str, ...] = ()
    retries: int = 0

    @property
    def prompt(self) -> str:
        """What it is asked."""
        return (self.name + " ") * (self.prompt_size // (len(self.name) + 1)) + self.name

    @property
    def output(self) -> str:
        """All that it says, if it succeeds."""
        answer = f"answer of {self.name}\n"
        if self.kind == "floods":
            answer = (self.name + " ") * (_FLOOD // (len(self.name) + 1)) + answer
        return answer

    def command(self, ledgers: Path) -> tuple[str, ...]:
        """The program, which writes into the ledgers `began` and `ended` of that folder."""
        began, ended = (shlex.quote(str(ledgers / name)) for name in ("began", "ended"))
        return (
            "sh",
            "-c",
            f"echo {self.name} >> {began}; {self._work()} || exit; echo {self.name} >> {ended}",
        )

    def _work(self) -> str:
        """As shell."""
        deaf = FakeAgent().ignore(signal.SIGTERM).sleep(300)
        asked, answer = FakeAgent().read().sleep(self.seconds), f"answer of {self.name}\n"
        match self.kind:
            case "answers":
                agent = asked.write(answer)
            case "floods":
                filler = f"{self.name} "
                size = len(self.output) - len(answer)
                agent = asked.fill(size, filler).write(answer)
            case "trickles":
                agent = asked.write(answer, cut=5, pause=self.seconds)
            case "reads nothing":
                agent = FakeAgent().close("stdin").sleep(self.seconds).write(answer)
            case "leaves children":
                agent = asked.fork(deaf).fork(deaf, setsid=True, quiet=True).write(answer)
            case "leaves a hidden daemon":
                agent = asked.daemon(scrubbed=True).write(answer)
            case "fails":
                agent = asked.write("no such luck\n", to="stderr").exit(3)
            case "crashes":
                agent = asked.die(signal.SIGSEGV)
            case "hangs":
                agent = FakeAgent().fork(deaf, setsid=True, quiet=True).hang()
            case "wants too much memory":
                # Limits of its own, in KiB and in seconds: the agents beside it have none.
                agent = asked.allocate(400 * 2**20)
                return f"(ulimit -v {200 * 2**10}; exec {shlex.join(agent.argv())})"
            case "wants too much time":
                return "(ulimit -c 0; ulimit -t 1; while :; do :; done)"
            case other:
                raise ValueError(f"no such kind: {other}")
        return shlex.join(agent.argv())
