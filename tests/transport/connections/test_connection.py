"""A connection leaves nothing open when its time is over."""

from __future__ import annotations

import select
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import ClosedPoolError, HTTPError

from finetune_client.transport.connections.connection import POOL_CLASSES, Attempt, AttemptTimeout

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


def test_connection__without_limits_waits_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt = Attempt(connect=None, read=None, deadline=None, monotonic=lambda: 0.0)
        pool = POOL_CLASSES["http"]("127.0.0.1", listener.getsockname()[1])
        connection = pool._get_conn()
        connection.timeout = AttemptTimeout(attempt).connect_timeout
        connection.connect()
        seen = [connection.sock.gettimeout()]
        connection.timeout = AttemptTimeout(attempt).read_timeout
        connection.request("GET", "/")
        seen.append(connection.sock.gettimeout())
        with listener.accept()[0] as peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert connection.getresponse().status == 200
        seen.append(connection.sock.gettimeout())
        connection.close()
    assert seen == [None, None, None]


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


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_pool__has_no_lock_that_an_interrupt_or_a_fork_could_leave_held(scheme: str) -> None:
    pool = POOL_CLASSES[scheme]("127.0.0.1", 1, maxsize=2)
    kept = [pool._get_conn() for _ in range(3)]
    lock_types = (type(threading.Lock()), type(threading.RLock()), threading.Condition)
    assert not [each for each in vars(pool.pool).values() if isinstance(each, lock_types)]
    for each in kept:
        pool._put_conn(each)
    assert pool._get_conn() is kept[1]
    assert pool._get_conn() is kept[0]
    assert pool._get_conn() not in kept
    pool.close()
    with pytest.raises(ClosedPoolError):
        pool._get_conn()
