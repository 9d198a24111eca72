"""The fault server does what it is told: seen through plain sockets, without the client."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.fault_server import FaultServer, fault
from tests.support.faults.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET /v1/fine_tuning/jobs/ftjob-7 HTTP/1.1\r\nHost: x\r\n\r\n"
JOB = b'{"model":"m","training_file":"file-1"}'
POST = b"POST /v1/fine_tuning/jobs HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(JOB) + JOB


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@contextlib.contextmanager
def _connected(server: FaultServer) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as sock:
        yield sock


def _until_closed(sock: socket.socket) -> bytes:
    blocks = []
    while block := sock.recv(65536):
        blocks.append(block)
    return b"".join(blocks)


def _one_answer(sock: socket.socket) -> tuple[bytes, bytes]:
    """Read one answer by its Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(1)
    head = data.lower()
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body))
    return data, body


def test_answers__keep_the_connection(server: FaultServer) -> None:
    with _connected(server) as sock:
        for _ in range(2):
            sock.sendall(GET)
            head, body = _one_answer(sock)
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert json.loads(body)["id"] == "ftjob-7"
    assert server.lines == ["GET /fine_tuning/jobs/ftjob-7"] * 2
    assert server.accepted == 1


def test_script__is_followed_in_order_by_what_fits(server: FaultServer) -> None:
    server.script(
        fault("answer", on="POST", status=503), fault("answer", status=429), fault("close")
    )
    with _connected(server) as sock:
        sock.sendall(GET)
        assert _one_answer(sock)[0].startswith(b"HTTP/1.1 429 ")
        sock.sendall(POST)
        assert _one_answer(sock)[0].startswith(b"HTTP/1.1 503 ")
        sock.sendall(GET)
        assert _until_closed(sock) == b""
    assert server.pending == []


@pytest.mark.parametrize(("works", "jobs"), [(False, 0), (True, 1)])
def test_reset__with_or_without_the_work(server: FaultServer, works: bool, jobs: int) -> None:
    server.script(fault("reset", works=works))
    with _connected(server) as sock:
        sock.sendall(POST)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert server.api.count("job") == jobs
    assert server.seen[0].json() == {"model": "m", "training_file": "file-1"}


def test_unknown_fault__is_refused() -> None:
    with pytest.raises(ValueError, match="there is no fault named flood"):
        fault("flood")


CLOSES: dict[str, bytes] = {
    "cut": b"HTTP/1.1 200 OK\r\n",
    "cut open": b"Connection: close\r\n",
    "cut chunks": b"Transfer-Encoding: chunked\r\n",
    "stale": b"HTTP/1.1 200 OK\r\n",
}


@pytest.mark.parametrize("action", CLOSES)
def test_cuts__end_with_the_connection(server: FaultServer, action: str) -> None:
    server.script(fault(action))
    with _connected(server) as sock:
        sock.sendall(GET)
        data = _until_closed(sock)
    assert CLOSES[action] in data
    body = data.partition(b"\r\n\r\n")[2]
    assert body.endswith(b"}") == (action == "stale")


def test_gzip__whole_and_cut(server: FaultServer) -> None:
    server.script(fault("gzip"), fault("cut gzip"))
    with _connected(server) as sock:
        sock.sendall(GET)
        assert json.loads(gzip.decompress(_one_answer(sock)[1]))["id"] == "ftjob-7"
        sock.sendall(GET)
        with pytest.raises(EOFError):
            gzip.decompress(_one_answer(sock)[1])


def test_short_length__leaves_a_rest(server: FaultServer) -> None:
    server.script(fault("short length", less=3))
    with _connected(server) as sock:
        sock.sendall(GET)
        assert not _one_answer(sock)[1].endswith(b"}")
        assert sock.recv(3).endswith(b"}")


def test_informed__sends_1xx_first(server: FaultServer) -> None:
    server.script(fault("informed", codes=[102, 103]))
    with _connected(server) as sock:
        sock.sendall(GET)
        early = b"HTTP/1.1 102 Early\r\n\r\nHTTP/1.1 103 Early\r\n\r\n"
        assert b"".join(sock.recv(1) for _ in early) == early
        head, body = _one_answer(sock)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(body)["id"] == "ftjob-7"


@pytest.mark.parametrize("action", ["drip", "slow head", "drip open"])
def test_drips__never_pause_long(server: FaultServer, action: str) -> None:
    server.script(fault(action, every=0.01))
    with _connected(server) as sock:
        sock.sendall(GET)
        ends = time.monotonic() + 0.3
        while time.monotonic() < ends:
            sock.settimeout(0.2)
            assert sock.recv(64)


@pytest.mark.parametrize("action", ["endless", "endless head"])
def test_endless__gives_megabytes(server: FaultServer, action: str) -> None:
    server.script(fault(action))
    with _connected(server) as sock:
        sock.sendall(GET)
        assert sum(len(sock.recv(1024)) for _ in range(2000)) > 1_000_000


def test_bomb__is_small_and_expands(server: FaultServer) -> None:
    server.script(fault("bomb", megabytes=3))
    with _connected(server) as sock:
        sock.sendall(GET)
        body = _one_answer(sock)[1]
    assert len(body) < 10_000
    assert len(gzip.decompress(body)) == 3 * 1024 * 1024


def test_hang_and_deaf__say_nothing(server: FaultServer) -> None:
    server.script(fault("hang"), fault("deaf"))
    for _ in range(2):
        with _connected(server) as sock:
            sock.sendall(GET)
            sock.settimeout(0.05)
            with pytest.raises(TimeoutError):
                sock.recv(1)


def test_early__answers_before_the_body(server: FaultServer) -> None:
    server.script(fault("early", status=413))
    with _connected(server) as sock:
        sock.sendall(POST.partition(JOB)[0])
        assert _until_closed(sock).startswith(b"HTTP/1.1 413 ")
    assert not server.seen[0].complete


def test_slow_reader__takes_all(server: FaultServer) -> None:
    server.script(fault("slow reader", size=10, every=0.001))
    with _connected(server) as sock:
        sock.sendall(POST)
        assert json.loads(_one_answer(sock)[1])["model"] == "m"
    assert server.seen[0].complete


def test_chunked_request__is_read(server: FaultServer) -> None:
    head = b"POST /v1/fine_tuning/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with _connected(server) as sock:
        sock.sendall(head + b"%x\r\n" % len(JOB) + JOB + b"\r\n0\r\n\r\n")
        _one_answer(sock)
    assert server.seen[0].body == JOB


def test_races__reset_a_used_connection() -> None:
    with FaultServer(races=True) as server, _connected(server) as sock:
        sock.sendall(GET)
        _one_answer(sock)
        sock.sendall(GET)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert len(server.seen) == 2


def test_not_listening__refuses() -> None:
    with FaultServer(listening=False) as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        server.listen()
        with _connected(server) as sock:
            sock.sendall(GET)
            assert _one_answer(sock)[0]


def test_keys__are_honoured_or_not(server: FaultServer) -> None:
    keyed = POST.replace(b"\r\n\r\n", b"\r\nIdempotency-Key: k\r\n\r\n")
    for honours, jobs in ((False, 2), (True, 3)):
        server.api.honours_keys = honours
        for _ in range(2):
            with _connected(server) as sock:
                sock.sendall(keyed.replace(b": k", b": k%d" % honours))
                _one_answer(sock)
        assert server.api.count("job") == jobs


def test_close__ends_every_fault() -> None:
    server = FaultServer()
    with contextlib.ExitStack() as stack:
        for action in sorted(ACTIONS):
            server.script(fault(action, every=0.01))
            sock = stack.enter_context(_connected(server))
            sock.sendall(GET)
        started = time.monotonic()
        while server.pending:
            assert time.monotonic() < started + 5
            time.sleep(0.01)
        server.close()
    assert time.monotonic() - started < 5
