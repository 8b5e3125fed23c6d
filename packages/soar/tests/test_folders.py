from __future__ import annotations

import stat
from pathlib import Path

from aurora_soar.folders import config_folder, make_private, state_folder


def test_folders_follow_the_xdg_variables_and_fall_back_to_the_home_folder() -> None:
    """An absolute XDG variable names the base; anything else leaves the default below HOME."""
    assert state_folder({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/aurora")
    assert state_folder({"XDG_STATE_HOME": "s", "HOME": "/h"}) == Path("/h/.local/state/aurora")
    assert config_folder({"HOME": "/h"}) == Path("/h/.config/aurora")


def test_a_private_folder_is_the_users_alone_and_made_with_those_above_it(
    tmp_path: Path,
) -> None:
    """A missing folder is made with mode 0700; a second time is no error."""
    folder = tmp_path / "a" / "b"
    make_private(folder)
    make_private(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
