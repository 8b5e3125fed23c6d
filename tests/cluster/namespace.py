"""A second network with one cable to ours, which can be cut. Needs `ip`, and to be root: of the
machine, or of a namespace (`make cluster` makes one)."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

# Each cable is a network of four addresses of its own: tests in other processes lay theirs too.
_FIRST, _CABLES = ip_address("10.213.0.0"), 2**14


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)


class Namespace:
    """The network beyond.

    Attributes:
        command: What a program is started with to run there.
        host: The address of our end of the cable.
    """

    def __init__(self, pid: int) -> None:
        self.command = ("nsenter", "--target", str(pid), "--net", "--preserve-credentials")
        network = _FIRST + 4 * (pid % _CABLES)
        self.host, self._beyond = str(network + 1), str(network + 2)
        self._pid = str(pid)
        self._cable = f"cut{pid}"

    def lay(self) -> None:
        """Lay the cable, and give both ends their addresses."""
        far = f"{self._cable}b"
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", far, "netns", self._pid)
        _run("ip", "address", "add", f"{self.host}/30", "dev", self._cable)
        _run("ip", "link", "set", self._cable, "up")
        _run(*self.command, "ip", "link", "set", "lo", "up")
        _run(*self.command, "ip", "address", "add", f"{self._beyond}/30", "dev", far)
        _run(*self.command, "ip", "link", "set", far, "up")

    def cut(self) -> None:
        """Cut the cable: what is on its way is lost, and nobody is told."""
        _run("ip", "link", "set", self._cable, "down")

    def mend(self) -> None:
        """Mend it."""
        _run("ip", "link", "set", self._cable, "up")

    def take_up(self) -> None:
        """Take the cable up, both ends of it."""
        _run("ip", "link", "delete", self._cable)


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
        beyond = Namespace(keeper.pid)
        beyond.lay()
        try:
            yield beyond
        finally:
            # It would go with its network, but only when the kernel finds the time to end that.
            beyond.take_up()
    finally:
        keeper.communicate(timeout=20)
