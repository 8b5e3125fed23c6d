"""Run agent command lines in parallel: order kept, limits exact, nothing left behind."""

from typing import TYPE_CHECKING

# Not lazily: its name is also that of the module.
from aurora_spawner.redact import redact, secrets_in

if TYPE_CHECKING:
    from aurora_spawner.ancestor import supervise
    from aurora_spawner.callbacks import Quiet
    from aurora_spawner.commands import (
        ExitCode,
        Interrupts,
        LoggedWarnings,
        exit_by_signal,
        give_streams,
        output_lost,
        report_bug,
    )
    from aurora_spawner.detection import (
        EarlyDetectionMonitor,
        get_early_detection_monitor,
        reset_early_detection_monitor,
    )
    from aurora_spawner.durations import format_duration, parse_duration
    from aurora_spawner.errors import (
        ClusterError,
        InvalidTaskError,
        JournalError,
        JournalInUseError,
        SpawnError,
        UnknownToolError,
    )
    from aurora_spawner.events import (
        AttemptFinished,
        AttemptStarted,
        Event,
        FallbackStarted,
        OnEvent,
        OnProgress,
        OutputLine,
        ProviderLimited,
        RetryScheduled,
        StreamEvent,
        TaskEvent,
        TaskFinished,
        TaskStarted,
        Warned,
        outcome_of,
        status_of,
    )
    from aurora_spawner.failures import FailureType, classify
    from aurora_spawner.inventory import FoundTool, take_inventory
    from aurora_spawner.journal import Journal, Recalled, content_of, surroundings
    from aurora_spawner.models import Permissions, SpawnResult, SpawnTask
    from aurora_spawner.policy import PRESETS, Policy, RetryPolicy
    from aurora_spawner.process import Limits, ProcessResult, run_process, suspend
    from aurora_spawner.progress import Progress
    from aurora_spawner.recovery import Gate, Permit, RecoverableTask, Turn, failure_type_of
    from aurora_spawner.runners import Runner, RunnerName, chosen_runner
    from aurora_spawner.spawner import (
        spawn,
        spawn_parallel,
        spawn_sequential,
        spawn_with_retry_and_fallback,
        stream,
    )
    from aurora_spawner.terminal import safe_line
    from aurora_spawner.tools import (
        AGENT_CLIS,
        PROGRAM_TOOLS,
        TOOLS,
        find_agent_cli,
        get_tool,
        missing_agent_cli,
    )
else:
    from aurora_spawner.face import __dir__, __getattr__  # noqa: F401 - Python asks the module for them

__all__ = [
    "AGENT_CLIS",
    "PRESETS",
    "PROGRAM_TOOLS",
    "TOOLS",
    "AttemptFinished",
    "AttemptStarted",
    "ClusterError",
    "EarlyDetectionMonitor",
    "Event",
    "ExitCode",
    "FailureType",
    "FallbackStarted",
    "FoundTool",
    "Gate",
    "Interrupts",
    "InvalidTaskError",
    "Journal",
    "JournalError",
    "JournalInUseError",
    "Limits",
    "LoggedWarnings",
    "OnEvent",
    "OnProgress",
    "OutputLine",
    "Permissions",
    "Permit",
    "Policy",
    "ProcessResult",
    "Progress",
    "ProviderLimited",
    "Quiet",
    "Recalled",
    "RecoverableTask",
    "RetryPolicy",
    "RetryScheduled",
    "Runner",
    "RunnerName",
    "SpawnError",
    "SpawnResult",
    "SpawnTask",
    "StreamEvent",
    "TaskEvent",
    "TaskFinished",
    "TaskStarted",
    "Turn",
    "UnknownToolError",
    "Warned",
    "chosen_runner",
    "classify",
    "content_of",
    "exit_by_signal",
    "failure_type_of",
    "find_agent_cli",
    "format_duration",
    "get_early_detection_monitor",
    "get_tool",
    "give_streams",
    "missing_agent_cli",
    "outcome_of",
    "output_lost",
    "parse_duration",
    "redact",
    "report_bug",
    "reset_early_detection_monitor",
    "run_process",
    "safe_line",
    "secrets_in",
    "spawn",
    "spawn_parallel",
    "spawn_sequential",
    "spawn_with_retry_and_fallback",
    "status_of",
    "stream",
    "supervise",
    "surroundings",
    "suspend",
    "take_inventory",
]
