"""Run folders: ids, names, rights."""

from __future__ import annotations

import os
import re
import stat
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurora_soar.runs import RunFolder, safe_names

IDS = st.lists(st.text(st.characters(codec=None, exclude_categories=()), min_size=1), unique=True)


@given(IDS)
def test_every_id_gets_a_safe_name_of_its_own(ids: list[str]) -> None:
    """F61: names are short, plain, no way out, and differ even where case is ignored."""
    names = safe_names(ids)
    assert len({name.casefold() for name in names}) == len(ids)
    for name in names:
        assert name.isascii()
        assert 0 < len(name) < 100
        assert not set(name) & set("/\\\0\n")
        assert not name.startswith(".")


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["api", "web-2.x_y"], ["api", "web-2.x_y"]),
        (["../../etc/passwd"], ["_.._etc_passwd-DIGEST"]),
        ([".."], ["-DIGEST"]),
        (["results.json"], ["results.json-DIGEST"]),
        (["web", "Web"], ["web", "Web-DIGEST"]),
        (["x" * 300], [f"{'x' * 80}-DIGEST"]),
    ],
)
def test_readable_names(ids: list[str], names: list[str]) -> None:
    """A plain id is its own name; any other keeps what it can and gets a digest."""
    assert [re.sub("-[0-9a-f]{8}$", "-DIGEST", name) for name in safe_names(ids)] == names


def test_an_id_that_looks_like_a_digest_of_another() -> None:
    """A name with a digest never meets a plain id that was written to look like it."""
    (hostile,) = safe_names(["../x"])
    assert len(set(safe_names([hostile, "../x"]))) == 2


def test_ids_of_runs_are_short_and_never_taken_twice(tmp_path: Path) -> None:
    """Four characters; a taken id is drawn again; a crowded folder gets longer ones."""
    assert RunFolder.create(tmp_path, [], draw=lambda text: text[0]).id == "2222"
    drawn = cycle("2222" + "2223")
    second = RunFolder.create(tmp_path, [], draw=lambda text: next(drawn))
    assert second.id == "2223"
    assert RunFolder.create(tmp_path, [], draw=lambda text: text[0]).id == "22222"


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    """F68: folders are 0700 and files 0600 under the most open umask."""
    before = os.umask(0)
    try:
        folder = RunFolder.create(tmp_path / ".aurora", ["a"])
        folder.write_attempt(0, 1, "out", "err")
        folder.write_output(0, "out")
        folder.write_results("{}")
    finally:
        os.umask(before)
    for path in [tmp_path / ".aurora", *(tmp_path / ".aurora").rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_the_users_own_gitignore_stays(tmp_path: Path) -> None:
    """F72: `.aurora` gets a `.gitignore` of its own, unless it has one."""
    RunFolder.create(tmp_path, [])
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    (tmp_path / ".gitignore").write_text("runs\n")
    RunFolder.create(tmp_path, [])
    assert (tmp_path / ".gitignore").read_text() == "runs\n"


def test_the_log_to_look_into_is_the_one_that_says_something(tmp_path: Path) -> None:
    """The log of an attempt is its standard error, or its output if there is no error text."""
    folder = RunFolder.create(tmp_path, ["a"])
    assert folder.write_attempt(0, 1, "out", "err").name == "stderr.log"
    assert folder.write_attempt(0, 2, "out", " \n").name == "stdout.log"


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the place of a file is refused, and its target is left alone."""
    folder = RunFolder.create(tmp_path, ["a"])
    folder.write_output(0, "first")
    target = tmp_path / "target"
    target.write_text("mine")
    folder.output(0).unlink()
    folder.output(0).symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        folder.write_output(0, "second")
    assert target.read_text() == "mine"


def test_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    """A lone surrogate in a text costs that character, not the file."""
    folder = RunFolder.create(tmp_path, ["a"])
    folder.write_output(0, "a\udc80b")
    assert folder.output(0).read_text() == "a?b"
