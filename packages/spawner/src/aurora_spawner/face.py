"""The package's face, name by name: importing the package imports none of its rooms.

A command that shows its help, or a program that runs an agent once a day, waits for no more than
it uses. Type checkers read the same names in the package's `__init__`; a test holds both together.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

__all__ = ["ROOMS", "__dir__", "__getattr__"]

_PACKAGE = __name__.partition(".")[0]

ROOMS: Mapping[str, tuple[str, ...]] = {
    "ancestor": ("supervise",),
    "callbacks": ("Quiet",),
    "commands": (
        "ExitCode",
        "Interrupts",
        "LoggedWarnings",
        "exit_by_signal",
        "give_streams",
        "output_lost",
        "report_bug",
    ),
    "detection": (
        "EarlyDetectionMonitor",
        "get_early_detection_monitor",
        "reset_early_detection_monitor",
    ),
    "durations": (
        "format_duration",
        "parse_duration",
    ),
    "errors": (
        "ClusterError",
        "InvalidTaskError",
        "JournalError",
        "JournalInUseError",
        "SpawnError",
        "UnknownToolError",
    ),
    "events": (
        "AttemptFinished",
        "AttemptStarted",
        "Event",
        "FallbackStarted",
        "OnEvent",
        "OnProgress",
        "OutputLine",
        "ProviderLimited",
        "RetryScheduled",
        "StreamEvent",
        "TaskEvent",
        "TaskFinished",
        "TaskStarted",
        "Warned",
        "outcome_of",
        "status_of",
    ),
    "failures": (
        "FailureType",
        "classify",
    ),
    "inventory": (
        "FoundTool",
        "take_inventory",
    ),
    "journal": (
        "Journal",
        "Recalled",
        "content_of",
        "surroundings",
    ),
    "models": (
        "Permissions",
        "SpawnResult",
        "SpawnTask",
    ),
    "policy": (
        "PRESETS",
        "Policy",
        "RetryPolicy",
    ),
    "process": (
        "Limits",
        "ProcessResult",
        "run_process",
        "suspend",
    ),
    "progress": ("Progress",),
    "recovery": (
        "Gate",
        "Permit",
        "RecoverableTask",
        "Turn",
        "failure_type_of",
    ),
    "runners": (
        "Runner",
        "RunnerName",
        "chosen_runner",
    ),
    "spawner": (
        "spawn",
        "spawn_parallel",
        "spawn_sequential",
        "spawn_with_retry_and_fallback",
        "stream",
    ),
    "terminal": ("safe_line",),
    "tools": (
        "AGENT_CLIS",
        "PROGRAM_TOOLS",
        "TOOLS",
        "find_agent_cli",
        "get_tool",
        "missing_agent_cli",
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
