"""What a page says of a run besides what became of it: how it was started, from what, on what."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["about_run"]

_OURS = ("aurora-soar", "aurora-spawner", "aurora-circuit-breaker")


def about_run(plan_file: str, clean: Callable[[str], str]) -> dict[str, Any]:
    """The command line, the plan's text (None if it cannot be read), versions and settings.

    Of the environment only `AURORA_*` is told. What goes through `clean` has lost its secrets.
    """
    return {
        "command": clean(shlex.join(["aurora-soar", *sys.argv[1:]])),
        "plan_text": _text_of(plan_file, clean),
        "environment": {
            **{name: version(name) for name in _OURS},
            "python": platform.python_version(),
            "platform": platform.platform(),
            **{
                name: clean(value)
                for name, value in sorted(os.environ.items())
                if name.startswith("AURORA_")
            },
        },
    }


def _text_of(plan_file: str, clean: Callable[[str], str]) -> str | None:
    try:
        return clean(Path(plan_file).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
