"""The C programs beside this file, compiled when they are first needed and `cc` is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from spawning.harness import WORKSHOP

__all__ = ["COMPILER", "compiled"]

COMPILER = "cc"


def compiled(name: str) -> str | None:
    """The path of that program; None without a compiler.

    Raises:
        subprocess.CalledProcessError: It does not compile.
    """
    if shutil.which(COMPILER) is None:
        return None
    source = Path(__file__).with_name(f"{name}.c")
    program = Path(os.environ.get(WORKSHOP) or tempfile.gettempdir()) / name
    if not program.exists():
        subprocess.run([COMPILER, "-O2", "-o", program, source], check=True)
    return str(program)
