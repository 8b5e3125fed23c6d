"""The journal's file: found or made, checked through and through, and opened.

The caller holds the journal's lock, so that nothing moves meanwhile. Whatever is not a whole
journal of a known version is refused before anything is written to it. SQLite's exclusive mode
keeps other programs out as well, and needs no shared memory, which network folders lack.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

from aurora_spawner.errors import (
    JournalDamagedError,
    JournalError,
    JournalFileError,
    JournalInUseError,
    JournalVersionError,
)
from aurora_spawner.journal.tables import SCHEMA, altered
from aurora_spawner.journal.wal import Leftover, survey

__all__ = ["VERSION", "as_journal_error", "open_database"]

VERSION = 1
"""The newest version of the tables that is known here (`PRAGMA user_version`)."""

# "AurJ": tells a journal from other people's databases (`PRAGMA application_id`).
_APPLICATION_ID = 0x4175724A

# SQLite's file header: what it begins with, its size, and where `application_id` stands.
_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_APPLICATION = slice(68, 72)

_ANOTHER = "name another file"

# How long to wait for another program, one that looks into the file, seconds.
_BUSY = 1.0


def open_database(path: Path) -> tuple[sqlite3.Connection, Leftover]:
    """Open a journal, or make one, readable for its owner only.

    Args:
        path: The file; its folder is resolved already.

    Returns:
        The connection, for one thread at a time, whose transactions are begun and ended by hand;
        and what the last writer left unfinished.

    Raises:
        JournalError: It cannot be used as it stands.
        OSError: It cannot be reached, or is a symbolic link.
        sqlite3.Error: See `as_journal_error`.
    """
    _inspect(path)
    leftover = _check_log(path)
    with contextlib.ExitStack() as undo:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY,
        )
        undo.callback(connection.close)
        _check_no_link(path, connection)
        try:
            _prepare(path, connection)
        except UnicodeDecodeError as error:
            raise JournalDamagedError(str(path), f"it holds what is no text: {error}") from error
        undo.pop_all()
    return connection, leftover


def _inspect(path: Path) -> None:
    """Look at the file before SQLite does; make it if it is not there."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        status = os.fstat(descriptor)
        header = os.pread(descriptor, _HEADER_SIZE, 0) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise JournalFileError(str(path), "is no regular file", _ANOTHER)
    if header:
        if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
            raise JournalFileError(str(path), "is a file, but no journal", _ANOTHER)
        if int.from_bytes(header[_APPLICATION], "big") != _APPLICATION_ID:
            raise JournalFileError(str(path), "is a database, but no journal", _ANOTHER)


def _check_log(path: Path) -> Leftover:
    """Refuse a write-ahead log out of which SQLite would silently drop results."""
    log_path = path.with_name(f"{path.name}-wal")
    try:
        descriptor = os.open(log_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return Leftover()
    with os.fdopen(descriptor, "rb") as log:
        leftover = survey(log)
    if leftover.bad_header:
        raise JournalDamagedError(str(path), "the header of its write-ahead log does not check")
    if leftover.lost > 1:
        raise JournalDamagedError(
            str(path), f"{leftover.lost} writes stand behind a bad place of its write-ahead log"
        )
    if leftover.frames and not path.stat().st_size:
        # SQLite would delete the log.
        raise JournalDamagedError(str(path), "it is empty, and its write-ahead log is not")
    return leftover


def _check_no_link(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a link that was put in the file's place since it was looked at.

    SQLite resolves the path, opens the outcome without following a link (O_NOFOLLOW), and says
    which path that was.
    """
    connection.text_factory = bytes
    (_, _, opened), *_ = connection.execute("PRAGMA database_list").fetchall()
    connection.text_factory = str
    if opened != os.fsencode(path):
        raise JournalFileError(str(path), "was replaced while it was opened", _ANOTHER)


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Check everything, then make the tables if there are none."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise JournalVersionError(str(path), version, VERSION)
    _check_pages(path, connection)
    _check_schema(path, connection)
    _check_rows(path, connection)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")


def _check_pages(path: Path, connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise JournalDamagedError(str(path), " ".join(verdict.split()))


def _check_schema(path: Path, connection: sqlite3.Connection) -> None:
    """The tables are exactly ours: no trigger or view of somebody else's."""
    found = dict(connection.execute("SELECT name, sql FROM sqlite_master"))
    if not found:
        connection.execute("BEGIN")
        for statement in SCHEMA.values():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    elif found != SCHEMA:
        raise JournalDamagedError(str(path), "its tables are not those of a journal")


def _check_rows(path: Path, connection: sqlite3.Connection) -> None:
    row = altered(connection)
    if row is not None:
        raise JournalDamagedError(str(path), f"{row} is not as it was written")


def as_journal_error(path: Path, error: sqlite3.Error) -> JournalError:
    """SQLite's error as one of ours."""
    # The low byte is the kind; an error of Python's own binding has none.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalInUseError(str(path), None)
        case (
            sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_FULL
            | sqlite3.SQLITE_IOERR
            | sqlite3.SQLITE_READONLY
        ):
            return JournalFileError(
                str(path), f"cannot be used ({error})", "make room for it, or name another file"
            )
        case _:
            return JournalDamagedError(str(path), str(error))
