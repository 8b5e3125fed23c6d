"""Where things of the user's are kept across projects and runs, and where a project ends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["config_folder", "home_folder", "make_private", "state_folder", "upwards"]


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """What the command learns by itself: `$XDG_STATE_HOME/aurora`, or `~/.local/state/aurora`."""
    return _base("XDG_STATE_HOME", environment, ".local", "state")


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """What the user decides: `$XDG_CONFIG_HOME/aurora`, or `~/.config/aurora`."""
    return _base("XDG_CONFIG_HOME", environment, ".config")


def _base(variable: str, environment: Mapping[str, str], *default: str) -> Path:
    named = environment.get(variable, "")
    # The XDG base directory specification: a path that is not absolute is to be ignored.
    base = Path(named) if os.path.isabs(named) else home_folder(environment).joinpath(*default)
    return base / "aurora"


def home_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's home folder."""
    named = environment.get("HOME", "")
    return Path(named) if os.path.isabs(named) else Path.home()


def upwards(here: Path) -> Iterator[Path]:
    """The folders of the project that we stand in, the nearest first, to the top of the repository.

    Outside of a repository only the folder itself: what lies above may be anybody's.

    Args:
        here: Where we stand; absolute, without symbolic links.
    """
    folders = [here, *here.parents]
    tops = [place for place, folder in enumerate(folders) if (folder / ".git").exists()]
    yield from folders[: tops[0] + 1 if tops else 1]


def make_private(folder: Path) -> None:
    """Make a folder that only the user can look into, and those above it that are missing.

    Raises:
        OSError: It cannot be made.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
