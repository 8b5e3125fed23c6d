"""Which schedulers may be talked to: over the machine's own loopback, or encrypted; pure.

Whoever reaches a scheduler runs code on every worker. Without TLS nothing keeps a stranger out, and
prompts, answers and variables cross the network in the clear.
"""

from __future__ import annotations

import ipaddress

from aurora_spawner.errors import InvalidTaskError

__all__ = ["checked_address", "is_encrypted"]

_ENCRYPTED = frozenset({"tls", "wss"})
# Inside one process there is no network.
_NO_NETWORK = frozenset({"inproc"})


def checked_address(address: str, *, trust_network: bool = False) -> str:
    """The address of a scheduler, with its protocol.

    Args:
        address: `tls://host:port`; also `tcp://` and, as short for it, `host:port`.
        trust_network: The user knows that nobody else reaches that network.

    Raises:
        InvalidTaskError: It is no address, or neither encrypted nor on this machine.
    """
    protocol, mark, place = address.rpartition("://")
    protocol = protocol if mark else "tcp"
    if protocol in _NO_NETWORK:
        return address
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidTaskError(
            "scheduler", f'"{address}" is no address; it looks like tls://host:8786'
        )
    whole = f"{protocol}://{place}"
    if protocol in _ENCRYPTED or trust_network or _is_loopback(host.strip("[]")):
        return whole
    raise InvalidTaskError(
        "scheduler",
        f"{whole} is neither encrypted nor on this machine: whoever is on that network could run "
        f"programs on every worker and read all prompts. Start the cluster with TLS and use "
        f"tls://{place}, or go through an SSH tunnel to 127.0.0.1; only if nobody else is on that "
        "network, say so: trust_network=True (--trust-network)",
    )


def is_encrypted(address: str) -> bool:
    """Whether whoever talks to that address needs certificates."""
    return address.partition("://")[0] in _ENCRYPTED


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
