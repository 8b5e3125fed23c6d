"""The journal in good order: what is kept, what is told, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import stat
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurora_spawner.errors import InvalidTaskError, JournalError
from aurora_spawner.journal import Content, Identity, Journal, Recalled, content_of, resumed
from aurora_spawner.models import SpawnResult, SpawnTask

_T = TypeVar("_T")


def answer(text: str) -> SpawnResult:
    return SpawnResult(True, text, None, 0)


def asking(prompt: str) -> Content:
    return content_of(SpawnTask(prompt))


async def record(journal: Journal, identity: Identity, prompt: str) -> None:
    execution = journal.started(identity, asking(prompt))
    assert await journal.finished(execution, answer(f"answer to {prompt}"))


def inside(path: Path, work: Callable[[Journal], Coroutine[Any, Any, _T]]) -> _T:
    """Do something in a run of its own."""

    async def run() -> _T:
        with Journal.open(path) as journal:
            return await work(journal)

    return asyncio.run(run())


def test_a_result_is_there_in_the_next_run(tmp_path: Path) -> None:
    """What was recorded is recalled by identity and content, in the same run and in the next."""
    path = tmp_path / "run.db"

    async def first(journal: Journal) -> Recalled:
        await record(journal, "api", "Build it.")
        return await journal.recall("api", asking("Build it."))

    kept = Recalled(answer("answer to Build it."))
    assert inside(path, first) == kept
    assert inside(path, lambda journal: journal.recall("api", asking("Build it."))) == kept
    assert inside(path, lambda journal: journal.recall("web", asking("Build it."))) == Recalled(
        None
    )


def test_a_changed_task_runs_again_and_the_change_is_named(tmp_path: Path) -> None:
    """F59: another content under the same identity is not answered; change and past are told."""
    path = tmp_path / "run.db"
    inside(path, lambda journal: record(journal, "api", "Build it."))
    now = content_of(SpawnTask("Build it.", model="large"), {"check": "pytest"})
    recalled = inside(path, lambda journal: journal.recall("api", now))
    assert recalled == Recalled(None, ("model", "check"), answer("answer to Build it."))


def test_going_back_finds_the_older_result(tmp_path: Path) -> None:
    """A change that is taken back finds the result that it had before."""
    path = tmp_path / "run.db"
    for prompt in ("one", "two"):
        inside(path, lambda journal, prompt=prompt: record(journal, "api", prompt))
    recalled = inside(path, lambda journal: journal.recall("api", asking("one")))
    assert recalled.result == answer("answer to one")


def test_of_two_results_the_newer_counts(tmp_path: Path) -> None:
    """A task that was run again has the newer of its results."""

    async def twice(journal: Journal) -> SpawnResult | None:
        for text in ("old", "new"):
            await journal.finished(journal.started("a", asking("a")), answer(text))
        return (await journal.recall("a", asking("a"))).result

    assert inside(tmp_path / "run.db", twice) == answer("new")


def test_what_a_killed_run_had_started_is_told(tmp_path: Path) -> None:
    """F55: the next run is told who held the journal, and which tasks gave no result."""
    path = tmp_path / "run.db"

    async def run(journal: Journal) -> None:
        assert journal.last_run is None
        await record(journal, "done", "a")
        journal.started(7, asking("b"))
        journal.started("lost", asking("c"))
        journal.started("again", asking("d"))
        await record(journal, "again", "d")

    inside(path, run)
    with Journal.open(path, surroundings={"repository": "4f2a"}) as journal:
        assert journal.last_run is not None
        assert journal.last_run.interrupted == (7, "lost")
        assert journal.last_run.pid == os.getpid()
        assert journal.last_run.ended is not None
        assert journal.last_run.ended >= journal.last_run.began
        assert not journal.last_run.cut_off
        assert journal.last_run.surroundings == {}


def test_who_only_looked_is_passed_over(tmp_path: Path) -> None:
    """The last run is one that started something, whoever opened the journal since."""
    path = tmp_path / "run.db"
    with Journal.open(path, surroundings={"repository": "4f2a"}):
        pass
    with Journal.open(path, surroundings={"repository": "77c0"}) as journal:
        assert journal.last_run is not None
        assert journal.last_run.surroundings == {"repository": "4f2a"}
        journal.started("a", asking("a"))
    for _ in range(2):
        with Journal.open(path, surroundings={"repository": "b81e"}) as journal:
            assert journal.last_run is not None
            assert journal.last_run.surroundings == {"repository": "77c0"}
            assert journal.last_run.interrupted == ("a",)


prompts = st.lists(st.sampled_from("abc"), max_size=6)


@settings(max_examples=30, deadline=None)
@given(before=prompts, now=prompts, asked_twice=st.booleans())
def test_positions_may_move(before: list[str], now: list[str], asked_twice: bool) -> None:
    """However the lines of an input moved, each kept result answers one line, and none is wasted.

    As many lines are answered as there are lines that were there before, counted with repeats.
    """

    async def first(journal: Journal) -> None:
        for position, prompt in enumerate(before):
            execution = journal.started(position, asking(prompt))
            await journal.finished(execution, answer(f"{prompt} {position}"))

    async def second(journal: Journal) -> list[SpawnResult | None]:
        answers: list[SpawnResult | None] = []
        for position, prompt in enumerate(now):
            if asked_twice:
                await journal.recall(position, asking(prompt))
            recalled = await journal.recall(position, asking(prompt))
            answers.append(recalled.result)
            if recalled.result is None:
                await record(journal, position, prompt)
        return answers

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.db")
        inside(path, first)
        answers = inside(path, second)
    kept = [result.output for result in answers if result is not None]
    assert len(set(kept)) == len(kept) == (Counter(before) & Counter(now)).total()
    assert all(
        result is None or result.output.startswith(prompt)
        for prompt, result in zip(now, answers, strict=True)
    )
    if before == now:
        assert kept == [f"{prompt} {position}" for position, prompt in enumerate(now)]


def test_a_name_is_no_position(tmp_path: Path) -> None:
    """The name "1" and the position 1 are two identities, and a name's result does not move."""
    path = tmp_path / "run.db"
    inside(path, lambda journal: record(journal, "1", "a"))

    async def recall(journal: Journal) -> list[Recalled]:
        return [await journal.recall(identity, asking("a")) for identity in ("1", 1, "2")]

    assert [recalled.result is not None for recalled in inside(path, recall)] == [
        True,
        False,
        False,
    ]


def test_resumed_runs_only_what_is_missing(tmp_path: Path) -> None:
    """F54: a second run runs what has no result, and gives the kept ones back, failed ones too."""
    path = tmp_path / "run.db"
    ran: list[str] = []

    def running(prompt: str) -> Callable[[], Awaitable[SpawnResult]]:
        async def run() -> SpawnResult:
            ran.append(prompt)
            if prompt == "raises":
                raise RuntimeError("out of luck")
            return SpawnResult.failed("no") if prompt == "fails" else answer(prompt)

        return run

    async def all_of(
        journal: Journal, keep: Callable[[SpawnResult], bool] = lambda result: True
    ) -> list[SpawnResult | BaseException]:
        return await asyncio.gather(
            *(
                resumed(journal, prompt, asking(prompt), running(prompt), keep=keep)
                for prompt in ("works", "fails", "raises")
            ),
            return_exceptions=True,
        )

    first = inside(path, all_of)
    assert first[:2] == [answer("works"), SpawnResult.failed("no")]
    assert isinstance(first[2], RuntimeError)
    ran.clear()
    assert inside(path, all_of)[:2] == first[:2]
    assert ran == ["raises"]
    ran.clear()
    inside(path, lambda journal: all_of(journal, keep=lambda result: result.success))
    assert ran == ["fails", "raises"]


def test_a_cancelled_task_has_no_result(tmp_path: Path) -> None:
    """A task that is cancelled while it runs is interrupted, not finished."""
    path = tmp_path / "run.db"

    async def cancelled(journal: Journal) -> None:
        runs = asyncio.Event()

        async def run() -> SpawnResult:
            runs.set()
            await asyncio.Event().wait()
            raise AssertionError("nothing sets it")

        running = asyncio.create_task(resumed(journal, "a", asking("a"), run))
        await runs.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    inside(path, cancelled)
    with Journal.open(path) as journal:
        assert journal.last_run is not None
        assert journal.last_run.interrupted == ("a",)


def test_a_cancelled_wait_does_not_cancel_the_writing(tmp_path: Path) -> None:
    """A result whose recording nobody waits for any more is recorded all the same."""
    path = tmp_path / "run.db"

    async def give_up(journal: Journal) -> None:
        execution = journal.started("a", asking("a"))
        waiting = asyncio.create_task(journal.finished(execution, answer("a")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    inside(path, give_up)
    recalled = inside(path, lambda journal: journal.recall("a", asking("a")))
    assert recalled.result == answer("a")


def test_results_that_come_together_are_committed_together(tmp_path: Path) -> None:
    """Fifty results at once cost a few commits, not fifty."""
    path = tmp_path / "run.db"
    commits: list[str] = []

    async def fifty(journal: Journal) -> list[bool]:
        executions = [journal.started(number, asking(str(number))) for number in range(50)]
        assert await journal.finished(executions[0], answer("0"))
        journal._connection.set_trace_callback(commits.append)
        return await asyncio.gather(
            *(journal.finished(execution, answer("")) for execution in executions)
        )

    assert inside(path, fifty) == [True] * 50
    assert commits.count("COMMIT") <= 10


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """The settings that outlast a power failure are on; no kill of a process could show it."""
    with Journal.open(tmp_path / "run.db") as journal:
        settings = {
            name: journal._submit(
                lambda connection, name=name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            ).result()
            for name in ("journal_mode", "synchronous")
        }
    full = 2
    assert settings == {"journal_mode": "wal", "synchronous": full}


def test_one_unwritable_result_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    """In a group, what cannot be recorded fails alone."""

    async def three(journal: Journal) -> list[bool | BaseException]:
        outputs = ("a", b"raw", "c")
        executions = [journal.started(number, asking("x")) for number in range(3)]
        return await asyncio.gather(
            *(
                journal.finished(execution, answer(output))  # type: ignore[arg-type]
                for execution, output in zip(executions, outputs, strict=True)
            ),
            return_exceptions=True,
        )

    first, second, third = inside(tmp_path / "run.db", three)
    assert (first, third) == (True, True)
    assert isinstance(second, TypeError)


def test_the_export_is_everything_in_order(tmp_path: Path) -> None:
    """The export holds each execution once, in order, as JSON lines that anybody can read."""
    path = tmp_path / "run.db"

    async def many(journal: Journal) -> None:
        await asyncio.gather(*(record(journal, number, f"task {number}") for number in range(40)))
        journal.started("lost", asking("lost"))

    inside(path, many)
    with Journal.open(path) as journal:
        lines = [json.loads(json.dumps(line)) for line in journal.export()]
    assert [line["execution"] for line in lines] == list(range(1, 42))
    assert [line["identity"] for line in lines] == [*range(40), "lost"]
    assert lines[7]["result"]["output"] == "answer to task 7"
    assert lines[7]["key"] == asking("task 7").key
    assert lines[7]["ended"] >= lines[7]["began"]
    assert lines[40]["result"] is None
    assert lines[40]["ended"] is None
    assert {line["v"] for line in lines} == {line["run"] for line in lines} == {1}


def open_descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        # The listing itself held a descriptor, which is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """After an end in good order, or by an exception, there is one file and nothing else.

    No thread, no descriptor; the file is for its owner only, and so is what stands beside it.
    """
    path = tmp_path / "run.db"

    def files() -> list[Path]:
        return list(tmp_path.iterdir())

    async def fail(journal: Journal) -> None:
        await record(journal, "a", "a")
        journal.started("b", asking("b"))
        assert {stat.S_IMODE(os.stat(file).st_mode) for file in files()} == {0o600}
        raise RuntimeError("out of luck")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of luck"):
            inside(path, fail)
        assert files() == [path]
        assert not [thread for thread in threading.enumerate() if thread.name == "journal"]
        assert not [name for name in open_descriptors() if name.startswith(str(tmp_path))]


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    """Closing twice does nothing; using it afterwards is an error and no endless wait."""
    with Journal.open(tmp_path / "run.db") as journal:
        pass
    journal.close()
    with pytest.raises(JournalError, match="is closed; open it again"):
        journal.started("a", asking("a"))


def test_an_identity_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A lone surrogate in a name is misuse, told before anything runs."""

    async def use(journal: Journal) -> None:
        with pytest.raises(InvalidTaskError, match="identity"):
            await journal.recall("\ud800", asking("a"))
        with pytest.raises(InvalidTaskError, match="identity"):
            journal.started("\ud800", asking("a"))

    inside(tmp_path / "run.db", use)


def test_the_journal_is_a_plain_database(tmp_path: Path) -> None:
    """After the run, any SQLite program can read the results."""
    path = tmp_path / "run.db"
    inside(path, lambda journal: record(journal, "a", "ä"))
    connection = sqlite3.connect(path)
    query = "SELECT json_extract(result, '$.output') FROM executions WHERE identity = 'a'"
    assert connection.execute(query).fetchone() == ("answer to ä",)
    connection.close()
