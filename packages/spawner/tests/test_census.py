"""The census, on a kernel of its own: whoever a search of everything would find, it remembers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_spawner import descendants
from aurora_spawner.descendants import Process
from aurora_spawner.process import census as module
from aurora_spawner.process.census import Census

# What an ended process's children come to, and the program that the census belongs to.
INIT, US = 1, 2
HIGHEST_ID = 40


@dataclass(frozen=True)
class Entry:
    """A process of the kernel's: what can be seen of it, from when on."""

    process: Process
    words: tuple[bytes, ...] | None
    visible_at: float


class Kernel:
    """Starts and ends processes, and shows them as /proc does."""

    def __init__(self) -> None:
        self.now = 10.0
        self.last = US
        self.table = {pid: self._entry(pid, 0, pid, (), 0.0) for pid in (INIT, US)}
        self.ticks = 1

    def _entry(
        self, pid: int, parent: int, group: int, words: tuple[bytes, ...] | None, visible_at: float
    ) -> Entry:
        return Entry(Process(pid, parent, group, int(self.now * 100), "x"), words, visible_at)

    def fork(self, parent: int, *, delay: float = 0.0) -> int:
        """A copy of the parent, visible a moment later; its id."""
        while True:
            self.last = self.last + 1 if self.last < HIGHEST_ID else US + 1
            if self.last not in self.table:
                break
        above = self.table[parent]
        self.table[self.last] = self._entry(
            self.last, parent, above.process.group, above.words, self.now + delay
        )
        return self.last

    def change(self, pid: int, **changes: object) -> None:
        """Another group, or another environment."""
        entry = self.table[pid]
        if "group" in changes:
            entry = replace(entry, process=entry.process._replace(group=changes["group"]))  # type: ignore[arg-type]
        if "words" in changes:
            entry = replace(entry, words=changes["words"])  # type: ignore[arg-type]
        self.table[pid] = entry

    def end(self, pid: int) -> None:
        """It is gone; its children are those of init."""
        del self.table[pid]
        for child, entry in self.table.items():
            if entry.process.parent == pid:
                self.table[child] = replace(entry, process=entry.process._replace(parent=INIT))

    # What the census asks.

    def look(self, pid: int) -> Process | None:
        entry = self.table.get(pid)
        return entry.process if entry and entry.visible_at <= self.now else None

    def words(self, process: Process) -> tuple[bytes, ...] | None:
        entry = self.table.get(process.pid)
        return () if entry is None else entry.words

    def ids(self) -> list[int]:
        return [pid for pid, entry in self.table.items() if entry.visible_at <= self.now]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """In the place of the machine's."""
    return installed(monkeypatch)


def installed(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(module.os, "getpid", lambda: US)
    monkeypatch.setattr(module.time, "monotonic", lambda: kernel.now)
    monkeypatch.setattr(module.time, "sleep", kernel.sleep)
    monkeypatch.setattr(descendants, "last_process_id", lambda: kernel.last)
    for name in ("look", "words", "ids"):
        monkeypatch.setattr(descendants, name, getattr(kernel, name))
    return kernel


def start(kernel: Kernel, census: Census, word: bytes) -> int:
    """A leader with a word of its own."""
    leader = kernel.fork(US)
    kernel.change(leader, group=leader, words=(word,))
    census.enter(leader)
    return leader


def pids(census: Census, word: bytes) -> set[int]:
    return {candidate.process.pid for candidate in census.candidates(word)}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["lead", "fork", "fork", "late fork", "leave the group", "scrub", "end", "wait", "look"]
        ),
        st.floats(0, 1, exclude_max=True),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_it_knows_whoever_a_search_of_everything_would_find(
    steps: list[tuple[str, float]],
) -> None:
    """F20 to F22: whatever was started, renamed and ended since, all that bear a leader's word or
    share its group are candidates, each as it is now; and they are not before they can be seen."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        kernel = installed(monkeypatch)
        census = Census()
        leaders: dict[int, bytes] = {}
        for number, (step, draw) in enumerate(steps):
            below = [pid for pid in kernel.table if pid not in (INIT, US)]
            chosen = below[int(draw * len(below))] if below else US
            match step:
                case "lead" if len(kernel.table) < HIGHEST_ID - 2:
                    word = b"%d." % number
                    leaders[start(kernel, census, word)] = word
                case "fork" | "late fork" if len(kernel.table) < HIGHEST_ID - 2:
                    kernel.fork(chosen, delay=0.0005 if step == "late fork" else 0.0)
                case "leave the group" if chosen != US and chosen not in leaders:
                    kernel.change(chosen, group=chosen)
                case "scrub" if chosen != US and chosen not in leaders:
                    kernel.change(chosen, words=None)
                case "end" if chosen != US:
                    kernel.end(chosen)
                    if leaders.pop(chosen, None) is not None:
                        census.leave(chosen)
                case "wait":
                    # The rarer, the longer: ids may come round meanwhile.
                    kernel.now += 2.0 if draw > 0.9 else draw / 100
                case "look" if leaders:
                    leader, word = list(leaders.items())[int(draw * len(leaders))]
                    kernel.now += 0.002
                    found = census.candidates(word)
                    assert all(kernel.look(each.process.pid) == each.process for each in found)
                    expected = {
                        pid
                        for pid, entry in kernel.table.items()
                        if pid not in leaders
                        and ((entry.words and word in entry.words) or entry.process.group == leader)
                    }
                    assert expected <= {each.process.pid for each in found}


def test_a_child_with_a_scrubbed_environment_is_known_after_its_parent_is_gone(
    kernel: Kernel,
) -> None:
    """F22: whom a look has seen below a leader stays known, whoever is its parent later."""
    census = Census()
    leader = start(kernel, census, b"1.")
    hidden = kernel.fork(leader)
    kernel.change(hidden, group=hidden, words=None)
    assert pids(census, b"1.") == {hidden}
    kernel.change(hidden, group=hidden)
    kernel.table[hidden] = replace(
        kernel.table[hidden], process=kernel.table[hidden].process._replace(parent=INIT)
    )
    for pause in (0.0, 0.01, 5.0):
        kernel.now += pause
        assert pids(census, b"1.") == {hidden}


def test_strangers_are_not_looked_at_over_and_over(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often somebody is looked for, the environment of a stranger is read twice at most."""
    read: list[int] = []

    def words(process: Process) -> tuple[bytes, ...] | None:
        read.append(process.pid)
        return kernel.words(process)

    monkeypatch.setattr(descendants, "words", words)
    census = Census()
    start(kernel, census, b"1.")
    strangers = [kernel.fork(INIT) for _ in range(20)]
    for _ in range(10):
        kernel.now += 0.01
        assert pids(census, b"1.") == set()
    assert set(read) == {INIT, US, *strangers}
    assert max(Counter(read).values()) <= 2


def test_who_cannot_be_seen_yet_is_looked_for_again(kernel: Kernel) -> None:
    """A process that had its id before it could be seen is found as soon as it can be."""
    census = Census()
    leader = start(kernel, census, b"1.")
    slow, slower = kernel.fork(leader, delay=0.0005), kernel.fork(leader, delay=0.05)
    assert pids(census, b"1.") == set()
    kernel.now += 0.002
    assert pids(census, b"1.") == {slow}
    kernel.now += 0.1
    assert pids(census, b"1.") == {slow, slower}


def test_of_another_tree_is_no_candidate(kernel: Kernel) -> None:
    """What bears the word of one leader is not looked at for another."""
    census = Census()
    first, second = start(kernel, census, b"1."), start(kernel, census, b"2.")
    mine, other = kernel.fork(first), kernel.fork(second)
    assert pids(census, b"1.") == {mine}
    assert pids(census, b"2.") == {other}


@pytest.mark.parametrize("pause", [0.01, 2.0])
@pytest.mark.parametrize("further", [-1, 0, 1])
def test_ids_that_have_come_round_hide_nobody(pause: float, further: int, kernel: Kernel) -> None:
    """Who got a low id after the highest one is found: at once if the last id tells, and otherwise,
    since so many starts take their time, after a pause."""
    census = Census()
    leader = start(kernel, census, b"1.")
    for _ in range(10):
        kernel.end(kernel.fork(INIT))
    for _ in range(3):
        kernel.now += 0.2
        assert pids(census, b"1.") == set()
    before = kernel.last
    while kernel.last >= before:
        kernel.end(kernel.fork(INIT))
    found = kernel.fork(leader)
    while kernel.last < before + further:
        kernel.end(kernel.fork(INIT))
    kernel.now += pause
    if further < 0 or pause > 1:
        assert pids(census, b"1.") == {found}


def test_who_hides_in_the_group_of_a_leader_is_known(kernel: Kernel) -> None:
    """F20: an orphan with a scrubbed environment is a candidate as long as it shares the group."""
    census = Census()
    leader = start(kernel, census, b"1.")
    between = kernel.fork(leader)
    hidden = kernel.fork(between)
    kernel.change(hidden, words=None)
    kernel.end(between)
    assert pids(census, b"1.") == {hidden}


def test_a_line_of_scrubbed_processes_is_known(kernel: Kernel) -> None:
    """F22: below a leader everybody is known, also those whose parents hide as well."""
    census = Census()
    leader = start(kernel, census, b"1.")
    first = kernel.fork(leader)
    second = kernel.fork(first)
    for pid in (first, second):
        kernel.change(pid, group=pid, words=None)
    assert pids(census, b"1.") == {first, second}


def test_a_stranger_without_an_environment_is_no_candidate(kernel: Kernel) -> None:
    """Who bears nothing, and is neither below a leader nor in its group, is nobody's."""
    census = Census()
    start(kernel, census, b"1.")
    kernel.change(kernel.fork(INIT), words=None)
    assert pids(census, b"1.") == set()


def test_who_gets_the_id_of_one_that_ended_is_no_candidate(kernel: Kernel) -> None:
    """F30: an id that has come to a stranger is not taken for the one that had it."""
    census = Census()
    leader = start(kernel, census, b"1.")
    ours = kernel.fork(leader)
    assert pids(census, b"1.") == {ours}
    kernel.end(ours)
    kernel.now += 0.5
    kernel.last = ours - 1
    assert kernel.fork(INIT) == ours
    assert pids(census, b"1.") == set()
