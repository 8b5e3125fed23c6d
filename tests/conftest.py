"""Shared state of the process is reset around every test; and a Redis server for those that ask."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from aurora_circuit_breaker import get_circuit_breaker
from aurora_spawner import reset_early_detection_monitor

# A busy machine is no fault of an example.
settings.register_profile("unhurried", deadline=None)
# For those who want to know whether anything fails, and not what.
settings.register_profile("brief", deadline=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("AURORA_HYPOTHESIS", "unhurried"))

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


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A Redis server of this test's own, on a socket that nobody else knows."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH (Debian and Ubuntu: apt install redis-server)")
    # Not tmp_path: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder, "socket")
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            while not socket.exists():
                assert server.poll() is None, "redis-server ended at once"
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait()
