"""What curl, web pages and hostile clients get on a port, before the app sees their requests."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any

import pytest
import requests

from finetune_client.local import LocalServer, running
from finetune_client.local.http import port, waitress_server
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.port import Listener
from tests.support.local_api import port_of

MINE = b"Host: 127.0.0.1\r\nAuthorization: Bearer local\r\n"


def talk(base: str, *sent: bytes) -> bytes:
    """Send, and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port_of(base)), timeout=10) as sock:
        for data in sent:
            sock.sendall(data)
        blocks = iter(lambda: sock.recv(65536), b"")
        return b"".join(blocks)


def answer(raw: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and the error of a response, whose body must be JSON."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert "content-type: application/json" in (line.lower() for line in lines)
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(lines[0].split(" ")[1]), error


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", 421),
        (b"Host: evil.example\r\nAuthorization: Bearer x\r\n", 421),
        (b"Host: evil.example\r\n" + MINE, 421),
        (MINE + b"Host: 127.0.0.1\r\n", 421),
        (b"Host: 127.0.0.1\r\n", 401),
        (MINE + b"Origin: https://evil.example\r\n", 403),
        (MINE + b"Content-Length: -1\r\n", 400),
        (MINE + b"Content-Length: abc\r\n", 400),
        (MINE + b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
        (MINE + b"Content-Length: 2\r\nContent-Length: 2\r\n", 400),
        (MINE + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
        (MINE + b"Content-Length: 1000000000000000\r\n", 413),
        (MINE + b"Content-Type: multipart/form-data\r\nContent-Length: 9999999\r\n", 413),
        (MINE + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n", 413),
        (MINE + b"Transfer-Encoding: gzip\r\n", 501),
        (MINE + b"X: " + b"y" * 300_000 + b"\r\n", 431),
        (MINE + b"no colon\r\n", 400),
    ],
)
def test_headers__are_refused_before_the_body_comes(base: str, headers: bytes, status: int) -> None:
    request = b"POST /v1/fine_tuning/jobs HTTP/1.1\r\n" + headers + b"\r\n"
    assert answer(talk(base, request))[0] == status


@pytest.mark.parametrize(("status", "reason"), [(429, b"Too Many Requests"), (499, b"")])
def test_headers__are_refused_with_any_status(
    base: str, monkeypatch: pytest.MonkeyPatch, status: int, reason: bytes
) -> None:
    def refuse(*_: object) -> None:
        raise RequestRefusedError(status, "Not now.")

    monkeypatch.setattr(waitress_server, "check_access", refuse)
    raw = talk(base, b"GET /v1/models HTTP/1.1\r\n" + MINE + b"\r\n")
    assert raw.startswith(b"HTTP/1.1 %d %s\r\n" % (status, reason))
    found, error = answer(raw)
    assert (found, error["message"]) == (status, "Not now.")


@pytest.mark.parametrize("line", [b"\x00\x01\x02", b"GET", b"GET /v1/models HTTP/1.1 x"])
def test_request_line__that_is_none(base: str, line: bytes) -> None:
    status, error = answer(talk(base, line + b"\r\n\r\n"))
    assert status == 400
    assert error["message"].startswith("Bad Request: ")


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/files/../../../../etc/passwd",
        b"/v1/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd/content",
        b"/../../etc/passwd",
        b"/v1",
        b"/v1/files/%00",
    ],
)
def test_path__that_leads_nowhere(base: str, path: bytes) -> None:
    request = b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + MINE + b"\r\n"
    assert answer(talk(base, request))[0] == 404


def test_chunked__body_is_read(base: str) -> None:
    request = (
        b"POST /v1/fine_tuning/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\nConnection: close\r\n" + MINE + b"\r\n"
    )
    status, error = answer(talk(base, request, b"2\r\n{}\r\n0\r\n\r\n"))
    assert (status, error["param"]) == (400, "model")
    assert answer(talk(base, request, b"zz\r\n{}\r\n0\r\n\r\n"))[0] == 400


def test_body__of_one_request_is_not_read_as_the_next(base: str) -> None:
    inner = b"GET /v1/models HTTP/1.1\r\n" + MINE + b"\r\n"
    head = b"POST /v1/nothing HTTP/1.1\r\n" + MINE + b"Content-Length: %d\r\n\r\n" % len(inner)
    last = b"GET /v1/other HTTP/1.1\r\nConnection: close\r\n" + MINE + b"\r\n"
    raw = talk(base, head + inner + last)
    assert raw.count(b"HTTP/1.1 404") == 2
    assert raw.count(b"HTTP/1.1") == 2


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer x"}, 413)])
def test_early_refusal__arrives_although_the_body_is_large(
    base: str, headers: dict[str, str], status: int
) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for _ in range(3):
        found = requests.post(
            f"{base}/files", data=b"x" * 30_000_000, headers={**kind, **headers}, timeout=10
        )
        assert found.status_code == status
        assert found.headers["Connection"] == "close"


def test_listener__that_ends_while_a_request_is_answered_says_nothing_of_it() -> None:
    with LocalServer() as server:
        listener = Listener(server, port=0)
        listener.stop()
        listener._listeners[0].pull_trigger()


def test_listener__shares_its_port_with_nobody_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # An option that Linux has too stands in for the one that only Windows has.
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with LocalServer() as server:
        listener = Listener(server, port=0)
        options = (socket.SO_KEEPALIVE, socket.SO_REUSEADDR)
        bound = listener._listeners[0].socket
        assert [bound.getsockopt(socket.SOL_SOCKET, one) for one in options] == [1, 0]
        listener.stop()


def is_closed(sock: socket.socket) -> bool:
    """Whether the server closes the connection within a moment."""
    sock.settimeout(0.2)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        (b"GET /v1/mod", b"e"),
        (b"GET /v1/models HTTP/1.1\r\n" + MINE, b"X"),
        (b"POST /v1/uploads HTTP/1.1\r\n" + MINE + b"Content-Length: 50\r\n\r\nabc", b""),
    ],
)
def test_half_a_request__is_closed_in_the_end(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, more: bytes
) -> None:
    monkeypatch.setattr(waitress_server, "_MAX_REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(port, "_CLEANUP_SECONDS", 0)
    with LocalServer() as server, running(server) as base:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port_of(base))) as sock:
            sock.sendall(sent)
            while not is_closed(sock):
                assert time.monotonic() - begun < 20
                with contextlib.suppress(OSError):
                    sock.sendall(more)  # a header that never ends
        assert time.monotonic() - begun > 0.8


def test_half_a_request__whose_body_comes_slowly_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waitress_server, "_MAX_REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(port, "_CLEANUP_SECONDS", 0)
    head = (
        b"POST /v1/nothing HTTP/1.1\r\nConnection: close\r\n" + MINE + b"Content-Length: 6\r\n\r\n"
    )
    with LocalServer() as server, running(server) as base:
        with socket.create_connection(("127.0.0.1", port_of(base)), timeout=10) as sock:
            sock.sendall(head)
            for _ in range(6):
                time.sleep(0.25)
                sock.sendall(b"x")
            found = b"".join(iter(lambda: sock.recv(65536), b""))
        assert answer(found)[0] == 404


def test_request__that_takes_long_to_answer_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waitress_server, "_MAX_REQUEST_SECONDS", 0.1)
    monkeypatch.setattr(port, "_CLEANUP_SECONDS", 0)
    with LocalServer(faults="delay=1.5") as server, running(server) as base:
        headers = {"Authorization": "Bearer x"}
        assert requests.get(f"{base}/models", headers=headers, timeout=10).status_code == 200


def test_keys__are_checked_before_the_body_comes() -> None:
    keys = {"sk-a": "one"}
    with LocalServer(api_keys=keys) as server, running(server) as base:
        head = b"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n%s\r\n\r\n"
        assert answer(talk(base, head % b"Authorization: Bearer sk-b")) == (
            401,
            {
                "message": "The API key is not one of those that this server takes.",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            },
        )
        found = answer(talk(base, head % b"X: y"))[1]["message"]
        assert found == "Send a key of this server in a header: 'Authorization: Bearer KEY'."
