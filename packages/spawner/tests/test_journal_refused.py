"""What is refused: damaged, foreign, newer and linked files, with nothing changed in them."""

from __future__ import annotations

import asyncio
import io
import os
import random
import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from aurora_spawner.errors import (
    JournalDamagedError,
    JournalError,
    JournalFileError,
    JournalInUseError,
    JournalVersionError,
)
from aurora_spawner.journal import Journal, content_of, database
from aurora_spawner.journal.wal import Leftover, survey
from aurora_spawner.models import SpawnResult, SpawnTask
from aurora_spawner.testing import no_leaks

RESULTS = 12


def write_journal(path: Path, copy_to: Path | None = None) -> None:
    """A journal of some results, each in a commit of its own; copied as a kill would leave it."""

    async def write() -> None:
        with Journal.open(path) as journal:
            for number in range(RESULTS):
                execution = journal.started(number, content_of(SpawnTask(f"task {number}")))
                result = SpawnResult(True, f"answer {number} " * 300, None, 0)
                assert await journal.finished(execution, result)
            if copy_to is not None:
                shutil.copy(path, copy_to)
                shutil.copy(f"{path}-wal", f"{copy_to}-wal")

    asyncio.run(write())


def results(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The lines with a result, and whether it was told that a write was cut off."""
    with Journal.open(path) as journal:
        lines = [line for line in journal.export() if line["result"] is not None]
        return lines, journal.last_run is not None and journal.last_run.cut_off


def spoil(path: Path, place: int) -> None:
    """Change one byte."""
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ (1 << random.randrange(8))]))


def test_a_spoilt_bit_changes_no_result(tmp_path: Path) -> None:
    """F56: whichever bit of a journal is spoilt, it is refused or holds every result unchanged."""
    sound, spoilt = tmp_path / "sound.db", tmp_path / "spoilt.db"
    write_journal(sound)
    size = sound.stat().st_size
    expected, _ = results(sound)
    assert len(expected) == RESULTS
    refused = 0
    places = [*range(0, 100, 2), *(random.randrange(size) for _ in range(100))]
    for place in places:
        shutil.copy(sound, spoilt)
        spoil(spoilt, place)
        try:
            found, _ = results(spoilt)
        except JournalError:
            refused += 1
        else:
            assert found == expected
        for rest in tmp_path.glob("spoilt.db*"):
            rest.unlink()
    assert refused > 50


def test_a_spoilt_bit_in_the_log_loses_no_result_silently(tmp_path: Path) -> None:
    """F56: after a crash, a spoilt log is refused unless only the last write is lost, and told."""
    sound, spoilt, log = tmp_path / "sound.db", tmp_path / "spoilt.db", tmp_path / "spoilt.db-wal"
    write_journal(tmp_path / "run.db", copy_to=sound)
    saved = Path(f"{sound}-wal").read_bytes()
    places = [*range(0, 80, 2), *(random.randrange(len(saved)) for _ in range(80))]
    shutil.copy(sound, spoilt)
    log.write_bytes(saved)
    expected, cut_off = results(spoilt)
    assert len(expected) == RESULTS
    assert not cut_off
    refused = 0
    for place in places:
        shutil.copy(sound, spoilt)
        log.write_bytes(saved)
        spoil(log, place)
        try:
            found, cut_off = results(spoilt)
        except JournalDamagedError:
            refused += 1
        else:
            assert found == expected or (cut_off and found == expected[:-1])
    assert refused > 60


def test_a_refused_log_stays(tmp_path: Path) -> None:
    """F56: a journal refused for its log is refused again: trying to open it destroys nothing."""
    copy = tmp_path / "copy.db"
    write_journal(tmp_path / "run.db", copy_to=copy)
    log = Path(f"{copy}-wal")
    spoil(log, log.stat().st_size // 2)
    before = copy.read_bytes(), log.read_bytes()
    for _ in range(2):
        with pytest.raises(JournalDamagedError, match="writes stand behind a bad place"):
            Journal.open(copy)
    assert (copy.read_bytes(), log.read_bytes()) == before


def test_the_survey_of_a_log_agrees_with_sqlite(tmp_path: Path) -> None:
    """Wherever a log ends, SQLite takes over the frames that the survey says."""
    write_journal(tmp_path / "run.db", copy_to=tmp_path / "copy.db")
    saved = (tmp_path / "copy.db-wal").read_bytes()
    for cut in [len(saved), *(random.randrange(len(saved)) for _ in range(20))]:
        shutil.copy(tmp_path / "copy.db", tmp_path / "cut.db")
        (tmp_path / "cut.db-wal").write_bytes(saved[:cut])
        expected = survey(io.BytesIO(saved[:cut]))
        connection = sqlite3.connect(tmp_path / "cut.db")
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        connection.close()
        assert max(frames, 0) == expected.frames
        assert expected.lost <= 1


def test_a_log_that_begins_anew_is_sound(tmp_path: Path) -> None:
    """Frames of an earlier round of the log, which stay behind its present end, mean nothing."""
    path = tmp_path / "run.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("CREATE TABLE t (x)")
    for _ in range(20):
        connection.execute("INSERT INTO t VALUES (zeroblob(9000))")
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    connection.execute("INSERT INTO t VALUES (1)")
    with open(f"{path}-wal", "rb") as log:
        leftover = survey(log)
    connection.close()
    assert (leftover.frames, leftover.lost, leftover.cut) == (1, 0, False)


def test_a_short_log_is_no_damage() -> None:
    """A log that was cut off in its header holds nothing; garbage with more behind it is damage."""
    assert survey(io.BytesIO(b"")) == Leftover()
    assert survey(io.BytesIO(b"\x37")) == Leftover(cut=True)
    assert survey(io.BytesIO(bytes(32))) == Leftover(cut=True)
    assert survey(io.BytesIO(bytes(33))) == Leftover(cut=True, bad_header=True)


def test_a_journal_cut_to_nothing_is_refused(tmp_path: Path) -> None:
    """F56: an empty file beside a full log is damage, not a new journal."""
    copy = tmp_path / "copy.db"
    write_journal(tmp_path / "run.db", copy_to=copy)
    os.truncate(copy, 0)
    with pytest.raises(JournalDamagedError, match="it is empty"):
        Journal.open(copy)


def test_a_truncated_journal_is_refused(tmp_path: Path) -> None:
    """F56: a journal that lost its end is refused."""
    path = tmp_path / "run.db"
    write_journal(path)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(JournalDamagedError, match=r"move it and .*-wal away and start anew"):
        Journal.open(path)


def test_foreign_tables_are_refused(tmp_path: Path) -> None:
    """A journal into which somebody put a trigger is refused, and the trigger never runs."""
    path = tmp_path / "run.db"
    write_journal(path)
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TRIGGER gotcha AFTER INSERT ON runs BEGIN DELETE FROM executions; END"
    )
    connection.commit()
    connection.close()
    with pytest.raises(JournalDamagedError, match="tables are not those of a journal"):
        Journal.open(path)


def test_an_altered_result_is_refused(tmp_path: Path) -> None:
    """A result that was changed with another program is not passed off as the agent's."""
    path = tmp_path / "run.db"
    write_journal(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE executions SET result = replace(result, 'a', 'b') WHERE id = 3")
    connection.commit()
    connection.close()
    with pytest.raises(JournalDamagedError, match="row 3 of executions is not as it was written"):
        Journal.open(path)


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    """F60: a journal of a newer version is refused with both versions named, and not touched."""
    path = tmp_path / "run.db"
    write_journal(path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(JournalVersionError, match=r"has version 2, .* up to 1; update") as refused:
        Journal.open(path)
    assert (refused.value.version, refused.value.known) == (2, 1)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.db"]


def test_a_newer_version_in_the_log_is_refused(tmp_path: Path) -> None:
    """F60: the version counts that stands in the log, where a crash left it there."""
    path, copy = tmp_path / "run.db", tmp_path / "copy.db"
    write_journal(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    connection.close()
    with pytest.raises(JournalVersionError, match="has version 9"):
        Journal.open(copy)


@pytest.mark.parametrize("beside", ["", "-wal", "-lock"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_linked_journal_is_refused(tmp_path: Path, beside: str, dangling: bool) -> None:
    """F60: no symbolic link is followed, neither to read nor to create what it points to."""
    path, target = tmp_path / "run.db", tmp_path / "target"
    if not dangling:
        write_journal(target)
    before = None if dangling else target.read_bytes()
    Path(f"{path}{beside}").symlink_to(target)
    with pytest.raises(JournalFileError, match="symbolic link"):
        Journal.open(path)
    assert (target.read_bytes() if target.exists() else None) == before


def test_a_link_put_there_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F60: a link put in the journal's place between the look and the opening is refused.

    Nothing is written through it.
    """
    path, target = tmp_path / "run.db", tmp_path / "target.db"
    write_journal(path)
    write_journal(target)
    before = target.read_bytes()
    connect = sqlite3.connect

    def swap_and_connect(*arguments: Any, **keywords: Any) -> sqlite3.Connection:
        path.unlink()
        path.symlink_to(target)
        return connect(*arguments, **keywords)

    monkeypatch.setattr(sqlite3, "connect", swap_and_connect)
    with pytest.raises(JournalFileError, match="was replaced"):
        Journal.open(path)
    assert target.read_bytes() == before


def test_a_folder_may_be_a_link(tmp_path: Path) -> None:
    """Only the file must be no link: how its folder is reached is the user's affair."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Journal.open(tmp_path / "link" / "run.db") as journal:
        assert journal.path == (tmp_path / "real" / "run.db").resolve()


def a_text(path: Path) -> None:
    path.write_text("Dear journal, today nothing happened.\n" * 10)


def a_short_text(path: Path) -> None:
    path.write_text("{}")


def a_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name)")
    connection.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (a_text, "is a file, but no journal"),
        (a_short_text, "is a file, but no journal"),
        (a_database, "is a database, but no journal"),
        (os.mkfifo, "is no regular file"),
        (os.mkdir, "Is a directory"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, make: Any, told: str) -> None:
    """A file that is something else is refused, not overwritten, and nothing is put beside it."""
    path = tmp_path / "run.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(JournalFileError, match=told):
        Journal.open(path)
    assert before is None or path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run.db"]


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """A folder that is not there is an error with the reason and the way out."""
    with pytest.raises(JournalFileError, match=r"No such file or directory\); name a file"):
        Journal.open(tmp_path / "missing" / "run.db")


def test_an_empty_file_is_a_journal_not_yet_begun(tmp_path: Path) -> None:
    """What a crash right after the file was made leaves is as good as no file."""
    path = tmp_path / "run.db"
    path.touch()
    assert results(path) == ([], False)


def test_another_program_that_reads_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F57: a journal that an SQLite program is using is refused as in use, without a number."""
    monkeypatch.setattr(database, "_BUSY", 0.01)
    path = tmp_path / "run.db"
    write_journal(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchall()
    with pytest.raises(JournalInUseError, match="in use by another program") as refused:
        Journal.open(path)
    assert refused.value.pid is None
    reader.close()


def test_no_refusal_leaves_anything_behind(tmp_path: Path) -> None:
    """A refused opening leaves no descriptor, no thread and no lock."""
    path = tmp_path / "run.db"
    write_journal(path)
    os.truncate(path, path.stat().st_size // 2)
    threads = set(threading.enumerate())
    with no_leaks():
        for _ in range(3):
            with pytest.raises(JournalDamagedError):
                Journal.open(path)
    assert set(threading.enumerate()) <= threads
    assert [file.name for file in tmp_path.iterdir()] == ["run.db"]
