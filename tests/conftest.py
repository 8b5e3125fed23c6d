"""Shared state of the process is reset around every test."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from aurora_circuit_breaker import get_circuit_breaker
from aurora_spawner import reset_early_detection_monitor

# A busy machine is no fault of an example.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Whoever started the tests may ignore signals (nohup, a job in the background), and what is
# started here would go on ignoring them.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGTSTP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def reset_all_state() -> Iterator[None]:
    """Give each test a fresh breaker, adhoc marks excepted, and an empty monitor."""
    get_circuit_breaker().reset_all()
    reset_early_detection_monitor()
    yield
    get_circuit_breaker().reset_all()
    reset_early_detection_monitor()
