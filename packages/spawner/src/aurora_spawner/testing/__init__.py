"""Test doubles for our users' tests and ours."""

from aurora_spawner.testing.virtual_time import Deadlock, VirtualTimeLoop, run_virtual

__all__ = ["Deadlock", "VirtualTimeLoop", "run_virtual"]
