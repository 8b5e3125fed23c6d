"""`aurora-spawn` killed thirty times: nobody is left, and no result that was told is lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner.testing import FakeAgent, survivors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

COMMAND = [sys.executable, "-c", "from aurora_spawner.cli import main; main()"]
INPUTS = [str(number) for number in range(60)]
KILLS = 10


class Runs:
    """One run and its resumptions, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.pids = folder / "pids"
        self._folder = folder
        self._began = folder / "began"
        # Leaves descendants of every kind behind, and ends in good order after a while.
        deaf = FakeAgent().ignore(signal.SIGTERM).sleep(60)
        agent = (
            FakeAgent()
            .record_pids(self.pids)
            .fork(deaf, setsid=True, quiet=True)
            .fork(deaf, setsid=True, double=True, quiet=True)
            .daemon(scrubbed=True)
            .sleep(0.1)
        )
        script = f"echo {{}} >> {shlex.quote(str(self._began))}; exec {shlex.join(agent.argv())}"
        self._work = ["-j", "4", "--", "sh", "-c", script, ":::", *INPUTS]

    def start(self) -> subprocess.Popen[bytes]:
        journal = "--resume" if (self._folder / "j").exists() else "--journal"
        with open(self._folder / "err", "ab") as err:
            return subprocess.Popen(
                [*COMMAND, journal, str(self._folder / "j"), *self._work],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=self._folder,
            )

    def runs(self) -> Counter[str]:
        """How often each input was run."""
        return Counter(self._began.read_text().split()) if self._began.exists() else Counter()


def results(out: bytes) -> list[dict[str, Any]]:
    """The lines that were told to their end."""
    return [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]


def only_child(process: subprocess.Popen[bytes], pid: int) -> int | None:
    """The child of a process; None if there is none as long as the command runs."""
    while process.poll() is None:
        try:
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if found:
            return int(found[0])
        time.sleep(0.002)
    return None


def line_of(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """The ids of relay, ancestor and worker."""
    pid: int | None = process.pid
    for _ in range(3):
        if pid is None:
            return
        yield pid
        pid = only_child(process, pid)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["relay", "ancestor", "worker"])
def test_thirty_kills_leave_nobody_and_lose_nothing(place: int, tmp_path: Path) -> None:
    """F26, F54: ten random moments for each of the three processes: nobody is left soon
    after; resumed to the end, every result is there, and what had been told was not run again."""
    runs = Runs(tmp_path)
    # What had been told, and how often it had been run by then.
    told: dict[str, int] = {}
    slowest = 0.0
    for turn in range(KILLS):
        process = runs.start()
        ids = list(line_of(process))
        # On a busy machine the first result takes its time.
        moment = random.uniform(0, 0.6 if told else 0.6 + turn / 2)
        time.sleep(moment)
        if len(ids) > place:
            # With little left to do it may have come to its end.
            with contextlib.suppress(ProcessLookupError):
                os.kill(ids[place], signal.SIGKILL)
        began = time.monotonic()
        while left := runs.pids.exists() and survivors(runs.pids):
            # The promise is a second; the rest is for a machine that is busy with other tests.
            assert time.monotonic() - began < 5, f"left after a kill at {moment:.3f} s: {left}"
            time.sleep(0.01)
        slowest = max(slowest, time.monotonic() - began)
        out, _ = process.communicate(timeout=60)
        count = runs.runs()
        assert {name: count[name] for name in told} == told
        told.update((line["input"], count[line["input"]]) for line in results(out))
    print(f"{len(told)} told in {KILLS} killed runs, the last survivor gone after {slowest:.3f} s")
    process = runs.start()
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, (tmp_path / "err").read_text()
    last = results(out)
    assert [line["input"] for line in last] == INPUTS
    assert told.keys() <= {line["input"] for line in last if line["kept"]}
    count = runs.runs()
    assert {name: count[name] for name in told} == told
    assert told, "nothing was ever told: the test shows nothing"
