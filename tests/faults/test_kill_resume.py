"""A plan of sixty subgoals killed over and over: nothing finished is run again, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner import Journal
from aurora_spawner.testing import FakeAgent, survivors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")

COMMAND = [sys.executable, "-P", "-c", "from aurora_soar.cli import main; main()"]
KILLS = int(os.environ.get("AURORA_REPETITIONS", "3"))

# Kills that one plan takes before it may go on to its end.
KILLS_IN_A_ROW = 5

OUTCOMES = {"bad": "failed", "hang": "failed", "after-bad": "skipped", "blocked": "blocked"}
"""What becomes of the subgoals of a kind; of all others `ok`."""


def needs_of_sixty() -> dict[str, list[str]]:
    """The subgoals and what each builds on: fan-out, diamond, chain, and all that goes wrong."""
    needs: dict[str, list[str]] = {"root": []}
    needs |= {f"fan{n}": ["root"] for n in range(29)}
    needs |= {"left": ["root"], "right": ["root"], "tip": ["left", "right"]}
    needs |= {f"chain{n}": [f"chain{n - 1}" if n else "tip"] for n in range(8)}
    needs |= {f"bad{n}": ["root"] for n in range(3)}
    needs |= {f"after-bad{n}": [f"bad{n}"] for n in range(3)}
    needs |= {"mourner": ["bad0", "fan0"], "heir": ["mourner"]}
    needs |= {f"hang{n}": ["root"] for n in range(3)}
    needs |= {f"flaky{n}": ["root"] for n in range(3)}
    needs |= {f"limited{n}": ["root"] for n in range(3)}
    needs |= {f"blocked{n}": ["root"] for n in range(2)}
    return needs


NEEDS = needs_of_sixty()


def kind_of(name: str) -> str:
    return name.rstrip("0123456789")


class Plan:
    """The plan in a folder of its own, with its runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.pids = folder / "pids"
        self._began = folder / "began"
        (folder / "bin").mkdir()
        for program in ("sh", "grep", "sleep", "touch"):
            (folder / "bin" / program).symlink_to(str(shutil.which(program)))
        llm = folder / "bin" / "llm"
        llm.write_text(self._llm())
        llm.chmod(0o755)
        agents: dict[str, Any] = {name: {"command": self._program(name)} for name in NEEDS}
        agents |= {name: {"tool": "llm"} for name in NEEDS if kind_of(name) == "limited"}
        agents["broken"] = {"command": self._program("broken")}
        subgoals = [self._subgoal(name, needs) for name, needs in NEEDS.items()]
        plan = {"limits": {"max_concurrent": 8}, "agents": agents, "subgoals": subgoals}
        (folder / "plan.json").write_text(json.dumps(plan))
        assert self.run("circuits", "isolate", "broken").returncode == 0

    def _subgoal(self, name: str, needs: list[str]) -> dict[str, Any]:
        kind = kind_of(name)
        return {
            "id": name,
            "agent": "broken" if kind == "blocked" else name,
            "description": name,
            "depends_on": needs,
            "timeout": 0.5 if kind == "hang" else 30,
            "retries": 2 if kind in ("flaky", "limited") else 0,
            "on_dependency_failure": "run" if kind == "mourner" else "skip",
        }

    def _program(self, name: str) -> list[str]:
        agent = FakeAgent().record_pids(self.pids)
        kind = kind_of(name)
        if kind == "hang":
            deaf = FakeAgent().ignore(signal.SIGTERM).hang()
            agent = agent.fork(deaf, setsid=True, quiet=True).hang()
        elif kind == "bad":
            agent = agent.read().exit(3)
        else:
            if kind == "flaky":
                agent = agent.fail_first(1, self.folder / f"{name}.failed")
            agent = agent.read().sleep(0.05).write(f"answer of {name}")
        script = f"echo {name} >> {shlex.quote(str(self._began))}; exec {shlex.join(agent.argv())}"
        return ["sh", "-c", script]

    def _llm(self) -> str:
        """The first of all that is asked meets the provider's limit."""
        began, limited = (shlex.quote(str(self.folder / each)) for each in ("began", "limited"))
        return f"""#!/bin/sh
            name=$(grep -o -m 1 'limited[0-9]')
            echo "$name" >> {began}
            if ! [ -e {limited} ]; then
                touch {limited}
                echo 'Error: Error code: 429 - Retry-After: 1' >&2
                exit 1
            fi
            sleep 0.05
            echo '[{{"response": "answer of '"$name"'"}}]'
        """

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.folder / "err", "ab") as err:
            return subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=self.folder,
                env={"HOME": str(self.folder), "PATH": str(self.folder / "bin"), "LANG": "C.UTF-8"},
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, _ = process.communicate(timeout=100)
        return subprocess.CompletedProcess(arguments, process.returncode, out.decode())

    def go_on(self, *flags: str) -> subprocess.Popen[bytes]:
        """Resume the run; begin it, if it was killed before it was one."""
        arguments = ["resume"] if self.is_begun() else ["run", "plan.json"]
        return self.start(*arguments, "-q", *flags)

    def is_begun(self) -> bool:
        """Whether there is a run to resume."""
        return self._run() is not None

    def _run(self) -> Path | None:
        return next((self.folder / ".aurora/runs").glob("*/run.json"), None)

    def runs(self) -> Counter[str]:
        """How often each subgoal was run."""
        return Counter(self._began.read_text().split()) if self._began.exists() else Counter()

    def finished(self) -> set[str]:
        """The subgoals whose answer the journal has acknowledged; the journal is left alone."""
        run = self._run()
        if run is None or not (run.parent / "journal.db").exists():
            return set()
        copy = self.folder / "copy"
        copy.mkdir()
        try:
            for file in run.parent.glob("journal.db*"):
                shutil.copy(file, copy)
            with Journal.open(copy / "journal.db") as journal:
                return {
                    line["identity"]
                    for line in journal.export()
                    if line["result"] and line["result"]["success"]
                }
        finally:
            shutil.rmtree(copy)


def line_of(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """The ids of relay, ancestor and worker, as far as they are there."""
    pid = process.pid
    yield pid
    for _ in range(2):
        try:
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return
        if not found:
            return
        pid = int(found[0])
        yield pid


def go_on_and_kill(plan: Plan, draw: random.Random) -> None:
    """Go on with the plan, and kill one of the command's processes: nobody is left of it.

    The moment is one of the start, where nothing may have begun, or when some more have begun.
    """
    starts = draw.random() < 0.2
    enough = plan.runs().total() + draw.randrange(40)
    pause = draw.uniform(0, 0.8 if starts else 0.1)
    place = draw.choice([1, 2, 3])
    with plan.go_on() as process:
        while not starts and plan.runs().total() < enough and process.poll() is None:
            time.sleep(0.005)
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill([*line_of(process)][:place][-1], signal.SIGKILL)
        killed = time.monotonic()
        process.communicate(timeout=60)
    while left := plan.pids.exists() and survivors(plan.pids):
        assert time.monotonic() - killed < 10, f"left after a kill: {left}"
        time.sleep(0.01)


def predicted(plan: Plan) -> tuple[dict[str, str], str]:
    """What `resume -n` says: the reasons of those that run, and its first line."""
    first, *rows = [
        line for line in plan.run("resume", "-n").stdout.splitlines() if "killed" not in line
    ]
    said = (row.split(maxsplit=1) for row in rows)
    return {row[0]: row[1] for row in said}, first


# A net: each kill takes about two seconds on a machine that is not busy.
@pytest.mark.timeout(60 + 20 * KILLS)
def test_killed_at_random_moments_nothing_finished_runs_again(tmp_path: Path) -> None:
    """F54, F26: whatever was acknowledged when the run was killed is kept; the rest is made up for,
    as `resume -n` says; nobody is left. AURORA_REPETITIONS says how often (3)."""
    seed = random.randrange(2**32)
    print(f"seed: {seed}")
    draw = random.Random(seed)
    kept_over_all = 0
    assert len(NEEDS) == 60
    for first in range(0, KILLS, KILLS_IN_A_ROW):
        plan = Plan(tmp_path / str(first))
        # What was finished, and how often it had been run by then.
        finished: dict[str, int] = {}
        for _ in range(min(KILLS_IN_A_ROW, KILLS - first)):
            go_on_and_kill(plan, draw)
            count = plan.runs()
            assert {name: count[name] for name in finished} == finished
            assert finished.keys() <= plan.finished()
            finished = {name: count[name] for name in plan.finished()}
        kept_over_all += len(finished)
        check_the_end(plan, finished)
        shutil.rmtree(plan.folder)
    print(f"{kept_over_all} answers kept over {KILLS} kills")
    assert kept_over_all, "nothing was ever finished: the test shows nothing"


def check_the_end(plan: Plan, finished: dict[str, int]) -> None:
    """Let the plan go on to its end: all is as it should be, and as was said before."""
    resumes = plan.is_begun()
    reasons, first = predicted(plan) if resumes else (dict.fromkeys(NEEDS, ""), "")
    before = plan.runs()
    process = plan.go_on("--json")
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 1, (plan.folder / "err").read_text()
    count = plan.runs()
    assert {name: count[name] for name in finished} == finished
    assert not survivors(plan.pids)

    results = json.loads(out)["subgoals"]
    assert [each["id"] for each in results] == list(NEEDS)
    for each in results:
        assert each["outcome"] == OUTCOMES.get(kind_of(each["id"]), "ok"), each
        assert each["output"] == (f"answer of {each['id']}" if each["outcome"] == "ok" else "")

    kept = {each["id"] for each in results if each["kept"]}
    perhaps = {name for name, reason in reasons.items() if reason.startswith("if ")}
    assert kept - perhaps == NEEDS.keys() - reasons.keys()
    assert kept <= finished.keys()
    if resumes:
        runs, more = len(reasons) - len(perhaps), len(perhaps)
        told = f"keeps {60 - len(reasons)}, runs {runs}" + (
            f", perhaps {more} more" if more else ""
        )
        assert first.split(": ")[1] == told
    for name, reason in reasons.items():
        if reason.startswith(("never", "failed", "asked")) and kind_of(name) != "blocked":
            assert count[name] > before[name], (name, reason)
