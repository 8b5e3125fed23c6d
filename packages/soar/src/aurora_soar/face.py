"""The package's face, name by name: importing the package imports none of its rooms.

A command waits for no more than it uses, and can answer Ctrl-C from its first moment. Type checkers
read the same names in the package's `__init__`; a test holds both together.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

__all__ = ["ROOMS", "__dir__", "__getattr__"]

_PACKAGE = __name__.partition(".")[0]

ROOMS: Mapping[str, tuple[str, ...]] = {
    "agents": (
        "Agent",
        "AgentInfo",
        "AgentRegistry",
    ),
    "events": (
        "BudgetWarned",
        "CircuitChanged",
        "OnRunEvent",
        "RunEvent",
        "SubgoalEvent",
        "SubgoalFinished",
        "SubgoalStarted",
        "ToolParked",
        "ToolResumed",
    ),
    "matching": (
        "AgentMatcher",
        "Match",
    ),
    "phases": (
        "choose_agents",
        "execute_agents",
    ),
    "results": (
        "AgentOutput",
        "CollectResult",
        "Outcome",
    ),
}
"""What each room gives to the face."""

_ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Fetch a name the first time that somebody asks for it; see PEP 562."""
    if name in _ROOM_OF:
        value = getattr(import_module(f"{_PACKAGE}.{_ROOM_OF[name]}"), name)
        setattr(sys.modules[_PACKAGE], name, value)
        return value
    if name in ROOMS:
        return import_module(f"{_PACKAGE}.{name}")
    raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Every name of the face, fetched or not."""
    return sorted({*vars(sys.modules[_PACKAGE]), *_ROOM_OF})
