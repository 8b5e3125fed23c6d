"""How the tests of a project are run, as far as its files tell."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

__all__ = ["find_test_program"]

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TARGET = re.compile(r"^test[ \t]*::?(?!=)", re.MULTILINE)

# What npm puts there when nobody has written any.
_NO_TESTS = "no test specified"


def find_test_program(
    folder: Path, which: Callable[[str], str | None] = shutil.which
) -> list[str] | None:
    """The program with its arguments; None if there is none, or it is not on PATH."""
    for is_there, command in (
        (_has_make_target, ["make", "test"]),
        (_has_npm_script, ["npm", "test"]),
        (_has("Cargo.toml"), ["cargo", "test"]),
        (_has("go.mod"), ["go", "test", "./..."]),
        (_has_pytest, ["pytest", "-q"]),
    ):
        if is_there(folder) and which(command[0]):
            return command
    return None


def _has(name: str) -> Callable[[Path], bool]:
    return lambda folder: (folder / name).is_file()


def _has_make_target(folder: Path) -> bool:
    return any(_TARGET.search(_text(folder / name)) for name in _MAKEFILES)


def _has_npm_script(folder: Path) -> bool:
    try:
        script = json.loads(_text(folder / "package.json"))["scripts"]["test"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(script, str) and _NO_TESTS not in script


def _has_pytest(folder: Path) -> bool:
    python = any((folder / name).is_file() for name in ("pyproject.toml", "pytest.ini", "setup.py"))
    return python and any((folder / name).is_dir() for name in ("test", "tests"))


def _text(path: Path) -> str:
    """What a file says; nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""
