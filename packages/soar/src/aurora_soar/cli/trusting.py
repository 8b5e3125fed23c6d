"""What the user trusts, and what of the project waits for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aurora_soar.cli.streams import complain
from aurora_soar.config import demands, project_file
from aurora_soar.definitions import discover
from aurora_soar.folders import state_folder
from aurora_soar.trust import Standing, Trust, TrustError

__all__ = ["Claim", "claims_here", "standing_here"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A file of the project that says something, and what of it waits for trust.

    Attributes:
        path: The file.
        shown: How people are told of it.
        content: What was read, byte by byte.
        demands: What waits, each ready to be shown; empty if nothing does.
    """

    path: Path
    shown: str
    content: bytes
    demands: Sequence[str]


def claims_here() -> list[Claim]:
    """Every file of the project that could claim something: its settings, then agents.

    Raises:
        ConfigError: Its settings cannot be read.
    """
    here = Path.cwd()
    claims = []
    settings = project_file(here)
    if settings is not None:
        shown = os.path.normpath(settings.shown)
        claims.append(Claim(settings.path, shown, settings.content, demands(settings)))
    claims += [
        Claim(each.path, each.shown, each.content, each.definition.demands)
        for each in discover(here).all
        if each.scope == "project"
    ]
    return claims


def standing_here(path: Path, content: bytes) -> Standing:
    """What the user has said of a file; nobody is trusted where that cannot be known."""
    trust = _trust()
    return Standing.UNKNOWN if trust is None else trust.standing(path, content)


@cache
def _trust() -> Trust | None:
    """Read once, and told once if it cannot be."""
    try:
        return Trust(state_folder())
    except TrustError as error:
        complain(f"aurora-soar: nothing of the project is trusted: {error}")
        return None
