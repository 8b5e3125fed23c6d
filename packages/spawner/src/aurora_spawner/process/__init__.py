"""The only room that meets the operating system: start, feed, read, stop, reap."""

from aurora_spawner.process.child import suspend
from aurora_spawner.process.data import Limits, Observer, ProcessResult, StartError, Stream
from aurora_spawner.process.dialogue import Dialogue
from aurora_spawner.process.run import run_observed, run_process

__all__ = [
    "Dialogue",
    "Limits",
    "Observer",
    "ProcessResult",
    "StartError",
    "Stream",
    "run_observed",
    "run_process",
    "suspend",
]
