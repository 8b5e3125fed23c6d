"""What may matter to a run and is no part of a task: told when it differs, part of no key."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

__all__ = ["surroundings"]

# A repository on a slow disk is not worth waiting for, seconds.
_PATIENCE = 2.0


def surroundings() -> Mapping[str, str]:
    """The folder and, where there is one, the repository's commit."""
    said = {"the folder": os.getcwd()}
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return said
    return {**said, "the repository's commit": asked.stdout.decode().strip()}
