"""The folder of a run: `.aurora/runs/ID` in the current folder, private to the user.

Layout, where NAME is a subgoal's id made safe for a file system:

    run.json                what was asked for, see `request`
    journal.db              every result as soon as there is one, see `keeping`
    events.jsonl            what happens as it happens, see `diary`
    results.json            what became of everything
    NAME/output.txt         the subgoal's answer
    NAME/ATTEMPT/stdout.log what an attempt said, bounded as in its result
    NAME/ATTEMPT/stderr.log
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from aurora_soar.folders import make_private

__all__ = ["RESULTS", "RunFolder", "run_ids", "safe_names"]

RESULTS = "results.json"
_REQUEST = "run.json"
_JOURNAL = "journal.db"
_DIARY = "events.jsonl"

# No letters or digits that are mistaken for each other when read aloud or copied by hand.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"

# 31 ** 4 are 900,000 ids: four characters are enough for a folder of runs. When a draw is taken
# this often in a row, the folder is crowded, and the ids grow by a character.
_SHORTEST_ID = 4
_DRAWS = 8

# File systems allow 255 bytes for a name; this leaves room for a reader's eyes and a digest.
_LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_names(ids: Iterable[str]) -> list[str]:
    """A file name for each id: readable, never a way out of the folder, no two the same.

    Letters, digits, dots, hyphens and underscores stay. An id that had to be changed, and one
    that differs from an earlier one by case only, gets a digest of itself at the end.
    """
    taken = {RESULTS, _REQUEST, _JOURNAL, _DIARY}
    names = []
    for each in ids:
        name = _UNSAFE.sub("_", each).lstrip(".")[:_LONGEST_NAME]
        if name != each:
            name = f"{name}-{_digest(each)}"
        while name.casefold() in taken:
            name = f"{name}-{_digest(name)}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _digest(text: str) -> str:
    # A lone surrogate is a character of an id too.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class RunFolder:
    """The folder of one run.

    Attributes:
        id: The run's id.
        path: The folder.
        request: The file that says what was asked for.
        journal: The journal.
        diary: The file that says what happens while it happens.
        results: The file that says what became of everything, once it is written.
        ids: The ids of the subgoals, in the order of the plan.
    """

    def __init__(self, run_id: str, path: Path, subgoal_ids: Sequence[str]) -> None:
        self.id = run_id
        self.path = path
        self.request = path / _REQUEST
        self.journal = path / _JOURNAL
        self.diary = path / _DIARY
        self.results = path / RESULTS
        self.ids = tuple(subgoal_ids)
        self._names = safe_names(subgoal_ids)

    @classmethod
    def create(
        cls,
        home: Path,
        subgoal_ids: Sequence[str],
        *,
        draw: Callable[[str], str] = secrets.choice,
    ) -> RunFolder:
        """Make a fresh one.

        Args:
            home: The folder `.aurora`; made if it is not there, with its own `.gitignore`.
            subgoal_ids: The ids of the subgoals, in the order of the plan.
            draw: Draws one of the characters of a text.

        Raises:
            OSError: It cannot be made.
        """
        runs = home / "runs"
        make_private(home)
        make_private(runs)
        if not (home / ".gitignore").exists():
            _write(home / ".gitignore", "*\n")
        length = _SHORTEST_ID
        while True:
            for _ in range(_DRAWS):
                run_id = "".join(draw(_ALPHABET) for _ in range(length))
                try:
                    (runs / run_id).mkdir(mode=0o700)
                except FileExistsError:
                    continue
                return cls(run_id, runs / run_id, subgoal_ids)
            length += 1

    def name(self, position: int) -> str:
        """What a subgoal is called among files."""
        return self._names[position]

    def attempts(self, position: int) -> int:
        """How many attempts of a subgoal are kept already."""
        folder = self.path / self._names[position]
        try:
            return max(
                (int(each.name) for each in folder.iterdir() if each.name.isdigit()), default=0
            )
        except OSError:
            return 0

    def write_attempt(self, position: int, attempt: int, stdout: str, stderr: str) -> Path:
        """Keep what an attempt said; returns the file to look into first.

        Raises:
            OSError: It cannot be written.
        """
        folder = self.path / self._names[position] / str(attempt)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(folder / "stdout.log", stdout)
        _write(folder / "stderr.log", stderr)
        return folder / ("stderr.log" if stderr.strip() else "stdout.log")

    def output(self, position: int) -> Path:
        """Where a subgoal's answer is kept, if it has one."""
        return self.path / self._names[position] / "output.txt"

    def write_output(self, position: int, output: str) -> None:
        """Keep a subgoal's answer.

        Raises:
            OSError: It cannot be written.
        """
        path = self.output(position)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(path, output)

    def write_request(self, text: str) -> None:
        """Write what was asked for: all of it or none.

        Raises:
            OSError: It cannot be written.
        """
        _write_whole(self.request, text)

    def write_results(self, text: str) -> None:
        """Write what became of everything: all of it or none.

        Raises:
            OSError: It cannot be written.
        """
        _write_whole(self.results, text)


def run_ids(home: Path) -> list[str]:
    """The runs that are kept below a folder `.aurora`, the latest first."""
    try:
        folders = [each for each in (home / "runs").iterdir() if (each / _REQUEST).is_file()]
    except OSError:
        return []
    # When it was asked for: what is written later touches the folder.
    folders.sort(key=lambda each: ((each / _REQUEST).stat().st_mtime_ns, each.name), reverse=True)
    return [each.name for each in folders]


def _write_whole(path: Path, text: str) -> None:
    """Like `_write`; whoever reads it meanwhile, or after we were killed, sees no half of it."""
    unfinished = path.with_name(f".{path.name}")
    _write(unfinished, text)
    unfinished.replace(path)


def _write(path: Path, text: str) -> None:
    """Write a private file, whatever the umask says; lone surrogates become question marks."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
        file.write(text)
