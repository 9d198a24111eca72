"""A connection leaves nothing open when its time is over."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import HTTPError

from finetune_client.transport.connection import POOL_CLASSES, Attempt, AttemptTimeout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connection__closed_when_time_is_over_as_it_stands(scheme: str) -> None:
    """The clock passes the deadline in the moment in which the listener sees the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt = Attempt(
            connect=5,
            read=5,
            deadline=1.0,
            monotonic=lambda: 9.0 if select.select([listener], [], [], 0)[0] else 0.0,
        )
        pool = POOL_CLASSES[scheme]("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(HTTPError):
            pool.urlopen("GET", "/", timeout=AttemptTimeout(attempt), retries=False)
        assert attempt.expired
        with listener.accept()[0] as peer:
            peer.settimeout(5)
            assert peer.recv(1) == b""
    assert not attempt.sent


def test_connection__closed_when_its_certificates_cannot_be_read(tmp_path: Path) -> None:
    """The error is held, so that no collector closes it."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt = Attempt(connect=5, read=5, deadline=None, monotonic=lambda: 0.0)
        port = listener.getsockname()[1]
        pool = POOL_CLASSES["https"](
            "127.0.0.1", port, cert_reqs="CERT_REQUIRED", ca_certs=str(bundle)
        )
        with pytest.raises(HTTPError) as caught:
            pool.urlopen("GET", "/", timeout=AttemptTimeout(attempt), retries=False)
        with listener.accept()[0] as peer:
            peer.settimeout(5)
            assert peer.recv(1) == b""
        assert caught.value.__traceback__ is not None
    assert not attempt.sent
