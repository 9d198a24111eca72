"""Which hosts are this machine, and where the embedded server is on it."""

from __future__ import annotations

import ipaddress

__all__ = ["ANY_ADDRESS", "IN_PROCESS_URL", "LOCAL_PORT", "is_loopback"]

IN_PROCESS_URL = "http://finetune.localhost/v1"
"""The base URL of an embedded server that is called without a socket; no name server knows it."""

LOCAL_PORT = 8000
"""The port of the embedded server unless another is chosen."""

ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it names it, and binds nothing
"""The addresses that stand for all of this machine's, with the one at which it calls itself."""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: ``localhost``, ``*.localhost``, 127.0.0.0/8 or ::1.

    Args:
        host: A name or an address, without a port; an IPv6 address with or without brackets.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
