"""The libraries and the server that the comparison needs."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest


def lacking(what: str) -> None:
    """Skip, or fail where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture
def need() -> Callable[[str], None]:
    """Skip the test unless a distribution is installed."""

    def check(distribution: str) -> None:
        try:
            version(distribution)
        except PackageNotFoundError:
            lacking(distribution)

    return check


@pytest.fixture
def redis_url(need: Callable[[str], None]) -> Iterator[str]:
    """A Redis server of this test's own, on a socket that nobody else knows."""
    need("redis")
    program = shutil.which("redis-server")
    if program is None:
        lacking("redis-server")
        return
    # Not tmp_path: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        socket = Path(folder, "socket")
        command = [program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                assert server.poll() is None
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait()
