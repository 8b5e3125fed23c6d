"""A second network with one cable to ours, which can be cut. Needs `ip`, and to be root: of the
machine, or of a namespace (`make cluster` makes one)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

HERE, BEYOND = "10.213.0.1", "10.213.0.2"


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)


class Namespace:
    """The network beyond.

    Attributes:
        command: What a program is started with to run there.
    """

    def __init__(self, pid: int, cable: str) -> None:
        self.command = ("nsenter", "--target", str(pid), "--net", "--preserve-credentials")
        self._cable = cable

    def lay(self, pid: int) -> None:
        """Lay the cable, and give both ends their addresses."""
        far = f"{self._cable}b"
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", far, "netns", str(pid))
        _run("ip", "address", "add", f"{HERE}/24", "dev", self._cable)
        _run("ip", "link", "set", self._cable, "up")
        _run(*self.command, "ip", "link", "set", "lo", "up")
        _run(*self.command, "ip", "address", "add", f"{BEYOND}/24", "dev", far)
        _run(*self.command, "ip", "link", "set", far, "up")

    def cut(self) -> None:
        """Cut the cable: what is on its way is lost, and nobody is told."""
        _run("ip", "link", "set", self._cable, "down")

    def mend(self) -> None:
        """Mend it."""
        _run("ip", "link", "set", self._cable, "up")


@contextlib.contextmanager
def network_beyond() -> Iterator[Namespace]:
    """A second network, for as long as the block lasts."""
    keeper = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert keeper.stdout is not None
        assert keeper.stdout.readline(), "no namespace is to be had; see: make cluster"
        beyond = Namespace(keeper.pid, f"cut{os.getpid() % 10**7}")
        beyond.lay(keeper.pid)
        yield beyond
    finally:
        # The cable goes with the network that it leads to.
        keeper.communicate(timeout=20)
