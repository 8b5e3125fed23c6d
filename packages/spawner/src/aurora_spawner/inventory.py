"""Which tools are here, and in which version: each is asked, all at once, and none for long."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aurora_spawner.errors import InvalidTaskError
from aurora_spawner.process import Limits, run_process
from aurora_spawner.redact import secrets_in
from aurora_spawner.tools import PROGRAM_TOOLS, TOOLS, find_agent_cli

__all__ = ["FoundTool", "State", "take_inventory"]

State: TypeAlias = Literal["tested", "untested", "unknown", "missing", "broken", "built-in"]
"""Known good; of another version than the tested ones; silent about its version; not on PATH; an
adapter of another package that cannot be loaded; part of this package."""

# The slowest of them needs 4 s alone, and here they all start at once.
_TIMEOUT = 15.0

_VERSION = re.compile(r"\d+\.\d+[\w.+-]*")


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool and whether it can be used.

    Attributes:
        name: What tasks name it by.
        state: See `State`.
        path: Where its program is; None if it is missing.
        version: What it says its version is; None if it does not say.
        tested: The versions that its adapter was tested with.
        install: How to get it, or what is wrong with it.
        default: It answers where nobody names a tool.
    """

    name: str
    state: State
    path: str | None = None
    version: str | None = None
    tested: tuple[str, ...] = ()
    install: str = ""
    default: bool = False

    @property
    def remark(self) -> str:
        """What people should know beside version and state, and what to do about it."""
        match self.state:
            case "missing":
                return f"not on PATH; to get it: {self.install}"
            case "broken":
                return self.install
            case "built-in":
                return "no model: answers with lines of its prompt; --tool extract"
        known = ""
        if self.state == "untested" and self.tested:
            known = f"; tested: {', '.join(self.tested)}"
        silent = "; does not tell its version" if self.state == "unknown" else ""
        default = "; answers where no --tool is named" if self.default else ""
        return f"{self.path}{known}{silent}{default}"


async def take_inventory(
    which: Callable[[str], str | None] = shutil.which,
    *,
    environment: Mapping[str, str] = os.environ,
    timeout: float = _TIMEOUT,
) -> list[FoundTool]:
    """Look for every tool and ask each for its version.

    Those that run a task's own program are left out. Nobody is given a secret: variables that are
    named like one are not passed on.

    Args:
        which: Finds programs.
        environment: What the tools are started with.
        timeout: Seconds that each has for its answer.

    Returns:
        The tools that ship, then those of other packages.
    """
    secrets = secrets_in(environment)
    harmless = {name: value for name, value in environment.items() if value not in secrets}
    default = find_agent_cli(which)
    return list(
        await asyncio.gather(
            *(
                _look_at(name, which, harmless, timeout, default=name == default)
                for name in TOOLS
                if name not in PROGRAM_TOOLS
            )
        )
    )


async def _look_at(
    name: str,
    which: Callable[[str], str | None],
    env: Mapping[str, str],
    timeout: float,
    *,
    default: bool,
) -> FoundTool:
    try:
        tool = TOOLS[name]
    except InvalidTaskError as error:
        return FoundTool(name, "broken", install=str(error))
    tested = tuple(tool.tested)
    if name == "extract":
        return FoundTool(name, "built-in", path=tool.executable, install=tool.install)
    path = which(tool.executable)
    if path is None:
        return FoundTool(name, "missing", tested=tested, install=tool.install)
    said = await run_process(
        (path, "--version"), env=env, limits=Limits(timeout=timeout, output_bytes=4096, grace=0.5)
    )
    found = _VERSION.search(said.stdout.text()) if said.exit_code == 0 else None
    version = found[0] if found else None
    state: State = "untested" if version else "unknown"
    if version in tested:
        state = "tested"
    return FoundTool(name, state, path, version, tested, tool.install, default)
