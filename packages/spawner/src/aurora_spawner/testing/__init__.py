"""Test doubles for our users' tests and ours."""

from aurora_spawner.testing.fake_agent import FakeAgent, survivors
from aurora_spawner.testing.leaks import LeakError, no_leaks
from aurora_spawner.testing.virtual_time import Deadlock, VirtualTimeLoop, run_virtual

__all__ = [
    "Deadlock",
    "FakeAgent",
    "LeakError",
    "VirtualTimeLoop",
    "no_leaks",
    "run_virtual",
    "survivors",
]
