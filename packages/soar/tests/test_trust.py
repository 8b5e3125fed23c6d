"""What the user trusts: by path, and by what the file said then."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aurora_soar.trust import Standing, Trust, TrustError, not_used

WHEN = "2026-01-02T03:04:05Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "aurora"


def test_f71_trust_is_given_to_what_a_file_says(folder: Path, tmp_path: Path) -> None:
    """F71: a trusted file that says something else is untrusted, and trusted again if it says the
    same again; later runs know."""
    path = tmp_path / "file"
    assert Trust(folder).standing(path, b"one") is Standing.UNKNOWN
    Trust(folder).add({path: b"one"}, WHEN)
    trust = Trust(folder)
    assert trust.standing(path, b"one") is Standing.TRUSTED
    assert trust.standing(path, b"two") is Standing.CHANGED
    assert trust.standing(tmp_path / "copy", b"one") is Standing.UNKNOWN
    assert [(each.path, each.since) for each in trust.files] == [(path.resolve(), WHEN)]


def test_a_path_is_the_file_that_it_leads_to(folder: Path, tmp_path: Path) -> None:
    """The same file by another way is the same, and a link that leads elsewhere is not."""
    (tmp_path / "real").write_bytes(b"x")
    link = tmp_path / "link"
    link.symlink_to("real")
    trust = Trust(folder)
    trust.add({link: b"x"}, WHEN)
    assert trust.standing(tmp_path / "real", b"x") is Standing.TRUSTED
    link.unlink()
    link.symlink_to("other")
    assert trust.standing(link, b"x") is Standing.UNKNOWN


def test_trust_is_revoked(folder: Path, tmp_path: Path) -> None:
    """A revoked file is a stranger, whether it still exists or not; a second time says so."""
    trust = Trust(folder)
    trust.add({tmp_path / "gone": b"x", tmp_path / "other": b"y"}, WHEN)
    assert trust.revoke(tmp_path / "gone")
    assert not trust.revoke(tmp_path / "gone")
    assert [each.path.name for each in Trust(folder).files] == ["other"]


def test_f71_the_file_is_the_users_alone(folder: Path, tmp_path: Path) -> None:
    """F71: what is trusted is kept with mode 0600 in a private folder, and nothing beside it."""
    Trust(folder).add({tmp_path / "file": b"x"}, WHEN)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"trusted.json": 0o600, "trusted.lock": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ('{"v": 1, "files": {}}', 0o666, "can be written by others"),
        ('{"v": 1, "files": {}}', 0o620, "can be written by others"),
        ('{"v": 2, "files": {}}', 0o600, "is of a newer version of aurora-soar"),
        ('{"v": 1, "files": []}', 0o600, "is damaged"),
        ('{"v": 1, "files": {"/a": {}}}', 0o600, "is damaged"),
        ("[" * 100_000, 0o600, "is damaged"),
        ("", 0o600, "is damaged"),
    ],
)
def test_f71_a_file_that_cannot_be_believed_is_refused(
    folder: Path, text: str, mode: int, told: str
) -> None:
    """F71: damage, and a file that others could have written, trusts nobody and says so."""
    folder.mkdir(parents=True)
    path = folder / "trusted.json"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(TrustError, match=told):
        Trust(folder)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where nothing can be kept, whoever asks for it is told, and the path is named."""
    (tmp_path / "file").touch()
    with pytest.raises(TrustError, match=r"file/trusted.json cannot be"):
        Trust(tmp_path / "file").add({tmp_path / "x": b""}, WHEN)


def test_those_who_trust_at_once_lose_nothing(folder: Path, tmp_path: Path) -> None:
    """Sixteen at the same time, each with a file of its own: all are kept."""

    def add(number: int) -> None:
        Trust(folder).add({tmp_path / str(number): b"x"}, WHEN)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, range(16)))
    assert len(Trust(folder).files) == 16
    assert json.loads((folder / "trusted.json").read_text())["v"] == 1


def test_what_waits_says_why_and_what_to_type() -> None:
    """The remedy can be pasted, also for a file with a space in its name."""
    assert not_used(Standing.UNKNOWN, "a b") == (
        "is not used until you trust the file: aurora-soar trust 'a b'"
    )
    assert "has changed since you trusted it" in not_used(Standing.CHANGED, "a")
