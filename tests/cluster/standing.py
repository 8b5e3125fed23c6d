"""Agents that stand until they may go, told apart by the process that runs them."""

from __future__ import annotations

import shlex
from pathlib import Path

from aurora_spawner.testing import FakeAgent, survivors


class Standing:
    """Agents with a daemon each, which wait for a word, and then say who ran them and their prompt.

    Args:
        folder: Where they leave their traces; nobody else's.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder

    def command(self, then: str = "") -> tuple[str, ...]:
        """Such an agent; at its end it does what `then` says, in the words of a shell."""
        daemon = shlex.join(FakeAgent().record_pids("pids").daemon().argv())
        script = (
            f'prompt=$(cat); mkdir -p "{self._folder}/$PPID"; cd "{self._folder}/$PPID"; '
            'echo "$$ $(cut -d " " -f 22 /proc/$$/stat)" >> pids; '
            f"{daemon}; echo >> begun; "
            # Should nobody be left to end it, it ends itself after two minutes.
            "n=0; while [ ! -e ../go -a $((n += 1)) -lt 2400 ]; do sleep 0.05; done; "
            "echo $PPID $prompt; "
        )
        return ("sh", "-c", script + then)

    def go(self) -> None:
        """Let them go, and all that come after them."""
        (self._folder / "go").touch()

    def alive(self, runner: int | str = "*") -> int:
        """How many of their processes there are, the daemons counted, of that process or all."""
        return sum(len(survivors(pids)) for pids in self._folder.glob(f"{runner}/pids"))

    def begun(self, runner: int | str = "*") -> int:
        """How many have stood, whatever became of them."""
        return sum(map(_lines, self._folder.glob(f"{runner}/begun")))


def _lines(path: Path) -> int:
    return path.read_text().count("\n")
