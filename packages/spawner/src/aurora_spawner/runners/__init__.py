"""Where requests run."""

from aurora_spawner.runners.local import LocalRunner
from aurora_spawner.runners.port import Runner

__all__ = ["LocalRunner", "Runner"]
