"""Which files of projects the user has looked at and trusts: by path, and by what they said then.

Whoever clones a repository has agreed to nothing that stands in it. What a file of it names to be
run, or wants to be allowed, waits for `aurora-soar trust`. Trust is given to bytes: once a file
says something else it is a stranger again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from aurora_soar.folders import make_private

__all__ = ["Standing", "Trust", "TrustError", "TrustedFile", "not_used"]

_VERSION = 1


class Standing(Enum):
    """What the user has said of a file, as it is now."""

    TRUSTED = "trusted"
    CHANGED = "changed"
    UNKNOWN = "not trusted"


class TrustError(Exception):
    """What the user trusts cannot be read or kept; the message says why."""


@dataclass(frozen=True, slots=True)
class TrustedFile:
    """A file that the user trusts, or did when it was another one.

    Attributes:
        path: Where it is; absolute, without symbolic links.
        digest: SHA-256 of what it said, in hexadecimal.
        since: When that was, in UTC (ISO 8601).
    """

    path: Path
    digest: str
    since: str


def not_used(standing: Standing, file: str) -> str:
    """What to say of something that waits for trust, after its name.

    Args:
        standing: Why it waits.
        file: The file that it stands in, as people are told of it.
    """
    remedy = f"aurora-soar trust {shlex.quote(file)}"
    if standing is Standing.CHANGED:
        return f"is not used: the file has changed since you trusted it; look again: {remedy}"
    return f"is not used until you trust the file: {remedy}"


class Trust:
    """What the user trusts, in a private file of the user's.

    Args:
        folder: The folder that it lies in, see `aurora_soar.folders.state_folder`.

    Attributes:
        path: The file.

    Raises:
        TrustError: It cannot be read, is damaged, or others could have written it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "trusted.json"
        self._files = _read(self.path)

    @property
    def files(self) -> list[TrustedFile]:
        """Every file that was trusted and not revoked, by path."""
        return sorted(self._files.values(), key=lambda each: each.path)

    def standing(self, path: Path, content: bytes) -> Standing:
        """What the user has said of a file.

        Args:
            path: The file.
            content: What was read of it and is about to be used.
        """
        known = self._files.get(str(path.resolve()))
        if known is None:
            return Standing.UNKNOWN
        return Standing.TRUSTED if known.digest == _digest(content) else Standing.CHANGED

    def add(self, files: Mapping[Path, bytes], when: str) -> None:
        """Trust files from now on, as long as they say what they say.

        Args:
            files: What was read of each, and shown to the user.
            when: The time, in UTC (ISO 8601).

        Raises:
            TrustError: It cannot be kept.
        """
        with self._changing() as known:
            for path, content in files.items():
                place = path.resolve()
                known[str(place)] = TrustedFile(place, _digest(content), when)

    def revoke(self, path: Path) -> bool:
        """Trust a file no longer; false if it was not trusted.

        Raises:
            TrustError: It cannot be kept.
        """
        with self._changing() as known:
            return known.pop(str(path.resolve()), None) is not None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, TrustedFile]]:
        """The files, to be changed; kept at the end. One process at a time."""
        try:
            make_private(self.path.parent)
            # Beside the file, which is replaced.
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._files = _read(self.path)
                yield self._files
                _write(self.path, self._files)
            finally:
                os.close(lock)
        except OSError as error:
            raise TrustError(f"{self.path} cannot be written: {error.strerror}") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> dict[str, TrustedFile]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise TrustError(f"{path} can be written by others; look at it: chmod 600 {path}")
            said: Any = json.load(file)
        if said["v"] > _VERSION:
            raise TrustError(f"{path} is of a newer version of aurora-soar")
        return {
            name: TrustedFile(Path(name), str(each["sha256"]), str(each["since"]))
            for name, each in said["files"].items()
        }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TrustError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TrustError(f"{path} is damaged; to begin anew, remove it") from None


def _write(path: Path, files: Mapping[str, TrustedFile]) -> None:
    """Replace the file, so that whoever reads it sees the old one or the new one."""
    said = {
        "v": _VERSION,
        "files": {
            name: {"sha256": each.digest, "since": each.since} for name, each in files.items()
        },
    }
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(said, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
