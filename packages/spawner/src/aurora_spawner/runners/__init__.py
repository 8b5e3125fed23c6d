"""Where requests run."""

from aurora_spawner.runners.choice import RunnerName, chosen_runner
from aurora_spawner.runners.local import LocalRunner
from aurora_spawner.runners.port import Runner

__all__ = ["LocalRunner", "Runner", "RunnerName", "chosen_runner"]
