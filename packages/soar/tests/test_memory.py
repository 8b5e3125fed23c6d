from __future__ import annotations

from pathlib import Path

from aurora_soar.admission import Memory, free_memory
from aurora_soar.admission.memory import HEADROOM

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
    memory = Memory(lambda: 300 * MIB)
    assert memory.has_room("build")
    claim = memory.claim("build")
    assert memory.has_room("build")
    memory.release("build", claim, 200 * MIB)
    assert memory.has_room("build")
    memory.claim("build")
    assert not memory.has_room("build")


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
