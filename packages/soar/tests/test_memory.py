from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aurora_soar.admission import Memory, free_memory
from aurora_soar.admission.memory import HEADROOM, UNKNOWN

MIB = 2**20


def test_memory_that_the_young_have_not_taken_yet_is_not_free() -> None:
    """F73: claims count from the start, so that those that start together do not share memory."""
    memory = Memory(lambda: 1024 * MIB)
    started = 0
    while memory.has_room("claude"):
        memory.claim("claude")
        started += 1
    # 1,024 less the headroom are 768: two of 285 fit.
    assert started == 2


def test_one_alone_may_always_start_and_what_it_took_is_learnt() -> None:
    """Waiting would not make more room for the only one; its peak counts for the next."""
    memory = Memory(lambda: 550 * MIB, own=lambda: 50 * MIB)
    assert memory.has_room("build")
    claim = memory.claim("build")
    # Nobody knows yet what it needs.
    assert not memory.has_room("build")
    memory.release("build", claim, 100 * MIB)
    for _ in range(2):
        assert memory.has_room("build")
        memory.claim("build")
    assert not memory.has_room("build")


def test_a_failure_does_not_prove_that_little_is_needed() -> None:
    """F73: one that failed early says nothing of the others; what it did take counts."""
    memory = Memory(lambda: 600 * MIB, own=lambda: 50 * MIB)
    memory.release("build", memory.claim("build"), 60 * MIB, succeeded=False)
    assert memory.claim("build") == UNKNOWN
    memory.release("build", 0, 900 * MIB, succeeded=False)
    assert memory.claim("build") == 900 * MIB


def test_our_own_memory_is_not_taken_for_the_agents() -> None:
    """What may be our own peak, because it is no more, makes no agent larger than unknown ones."""
    memory = Memory(lambda: None, own=lambda: 2048 * MIB)
    memory.release("build", memory.claim("build"), 2000 * MIB)
    assert memory.claim("build") == UNKNOWN
    memory.release("build", 0, 3000 * MIB)
    assert memory.claim("build") == 3000 * MIB


# The tests' own process may have been larger than the agents here, which nobody could tell apart.
RUN = """
import asyncio, json
from aurora_soar import AgentInfo, SubgoalFinished, SubgoalStarted, execute_agents
from aurora_soar.admission import Memory
from aurora_soar.phases import collect
from aurora_spawner.testing import FakeAgent
from aurora_spawner.testing.proc import children

MIB = 2**20
ROOM = 350 * MIB

def used():
    total = 0
    for each in children():
        with open(f"/proc/{each.pid}/status") as status:
            lines = [line for line in status if line.startswith("VmRSS")]
        total += sum(int(line.split()[1]) * 1024 for line in lines)
    most.append(total)
    return total

most, events = [], []
collect.Memory = lambda: Memory(lambda: 256 * MIB + ROOM - used())
command = FakeAgent().read().allocate(90 * MIB).sleep(0.3).argv()
agent = AgentInfo("builder", config={"command": command})
result = asyncio.run(
    execute_agents(
        [(number, agent) for number in range(8)],
        [{"id": str(number), "description": ""} for number in range(8)],
        max_concurrent=8,
        on_event=events.append,
    )
)
active = []
for event in events:
    change = isinstance(event, SubgoalStarted) - isinstance(event, SubgoalFinished)
    active += [(active or [0])[-1] + change] if change else []
peaks = [output.result.peak_memory for output in result.agent_outputs]
ok = [output.success for output in result.agent_outputs]
print(json.dumps({"ok": ok, "active": active, "most": max(most), "peaks": peaks}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells free memory elsewhere")
def test_real_agents_fit_into_little_memory() -> None:
    """F73: eight of 90 MB where 350 MB are free: one shows what it needs, then three at once."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, timeout=60, check=True
    )
    said = json.loads(ended.stdout)
    assert said["ok"] == [True] * 8
    assert said["active"][:3] == [1, 0, 1]
    assert max(said["active"]) == 3
    assert said["most"] <= 350 * MIB
    assert all(90 * MIB < peak < 116 * MIB for peak in said["peaks"])


def test_somebody_elses_memory_is_not_ours() -> None:
    """What is free now bounds the next one, whatever was free before."""
    free = [4096 * MIB]
    memory = Memory(lambda: free[0])
    assert memory.has_room("llm")
    memory.claim("llm")
    free[0] = HEADROOM
    assert not memory.has_room("llm")


def test_nobody_waits_where_nobody_knows() -> None:
    """Where free memory cannot be known everybody may start."""
    memory = Memory(lambda: None)
    for _ in range(100):
        assert memory.has_room("claude")
        memory.claim("claude")


def test_free_memory_is_the_machines_or_the_containers(tmp_path: Path) -> None:
    """The smaller of what the machine and our cgroup leave; None where nothing tells."""
    assert free_memory(tmp_path, tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2048 kB\n")
    assert free_memory(tmp_path, tmp_path) == 2 * MIB
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path, tmp_path) == 2 * MIB
    (tmp_path / "memory.max").write_text(f"{3 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{2 * MIB}\n")
    assert free_memory(tmp_path, tmp_path) == MIB
