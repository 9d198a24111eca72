"""The server on a port: what curl, web pages, slow and hostile clients get."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.local import LocalServer, ServerLimits, running
from finetune_client.local.http import port, waitress_server
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.port import Listener
from tests.support.local_api import LocalApi, chat_lines, jsonl

if TYPE_CHECKING:
    from collections.abc import Iterator

MINE = b"Host: 127.0.0.1\r\nAuthorization: Bearer local\r\n"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    limits = ServerLimits(file_bytes=1_000_000, part_bytes=1_000_000)
    with LocalServer(limits=limits) as server, running(server) as url:
        yield url


@pytest.fixture
def api(base: str) -> Iterator[LocalApi]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer local"
        yield LocalApi(session, base)


def port_of(base: str) -> int:
    return int(base.rsplit(":", 1)[1].removesuffix("/v1"))


def talk(base: str, *sent: bytes, pause: float = 0.0) -> bytes:
    """Send, and read until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port_of(base)), timeout=10) as sock:
        for data in sent:
            sock.sendall(data)
            time.sleep(pause)
        blocks = iter(lambda: sock.recv(65536), b"")
        return b"".join(blocks)


def answer(raw: bytes) -> tuple[int, dict[str, Any]]:
    """Take an answer apart; its body must be an error in JSON."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert "content-type: application/json" in (line.lower() for line in lines)
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(lines[0].split(" ")[1]), error


def test_port__answers_a_whole_journey(api: LocalApi) -> None:
    train = api.upload(jsonl(chat_lines(10)))
    job = api.trained(training_file=train, hyperparameters={"n_epochs": 2, "batch_size": 5})
    assert [one["step"] for one in api.metrics(job["id"])] == [1, 2, 3, 4]
    text = api.session.get(f"{api.base}/files/{job['result_files'][0]}/content").text
    assert len(text.splitlines()) == 5


def test_keep_alive__has_no_stall(api: LocalApi) -> None:
    """A stall is a delayed acknowledgement, 40 ms each time; a connection is spared the first."""

    def seconds() -> float:
        start = time.perf_counter()
        api.session.post(f"{api.base}/files", json={}).close()
        return time.perf_counter() - start

    first = [seconds() for _ in range(20)]
    assert len(first) == 20
    assert any(seconds() < 0.03 for _ in range(200))


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
        b"/",
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


def test_slow_clients__do_not_keep_others_waiting(base: str, api: LocalApi) -> None:
    address = ("127.0.0.1", port_of(base))
    slow = [socket.create_connection(address) for _ in range(30)]
    try:
        for number, sock in enumerate(slow):
            half = b"POST /v1/files HTTP/1.1\r\n" + MINE + b"Content-Length: 50\r\n\r\nabc"
            sock.sendall(half[: number * 4])
        assert api.ok("GET", "/models")["object"] == "list"
    finally:
        for sock in slow:
            sock.close()


def test_connections__are_never_more_than_select_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = select.select

    def of_windows(*given: Any) -> Any:
        if max(len(sockets) for sockets in given[:3]) > 250:
            raise ValueError("too many file descriptors in select()")
        return ask(*given)

    monkeypatch.setattr(port, "select", SimpleNamespace())  # no poll, here alone
    monkeypatch.setattr(select, "select", of_windows)
    with LocalServer() as server, running(server) as base:
        address = ("127.0.0.1", port_of(base))
        idle = [socket.create_connection(address) for _ in range(300)]
        time.sleep(0.2)
        for sock in idle:
            sock.close()
        headers = {"Authorization": "Bearer x"}
        assert requests.get(f"{base}/models", headers=headers, timeout=10).status_code == 200


def left_over(before: set[threading.Thread]) -> list[str]:
    """Name the threads that are new; waitress's own end a moment after they are told to."""
    deadline = time.monotonic() + 20
    while (new := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [thread.name for thread in new]


def test_stop__is_quick_and_frees_the_port() -> None:
    before = set(threading.enumerate())
    with LocalServer() as server:
        with running(server) as base:
            address = ("127.0.0.1", port_of(base))
            half_done = [socket.create_connection(address) for _ in range(3)]
            half_done[0].sendall(b"POST /v1/files HTTP/1.1\r\n")
            half_done[1].sendall(b"GET /v1/models HTTP/1.1\r\n\r\n")
            start = time.monotonic()
        assert time.monotonic() - start < 20
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        for sock in half_done:
            sock.close()
        assert left_over(before) == []


def test_listener__that_was_never_run_is_closed_too() -> None:
    with LocalServer() as server:
        listener = Listener(server, port=0)
        listener.stop()
        listener.run()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(listener.base_url)))


def test_listener__that_ends_while_a_request_is_answered_says_nothing_of_it() -> None:
    with LocalServer() as server:
        listener = Listener(server, port=0)
        listener.stop()
        listener._listener.pull_trigger()


def test_listener__refuses_addresses_that_others_can_reach() -> None:
    with LocalServer() as server:
        for host in ("0.0.0.0", "192.0.2.1", "::", "example.org"):
            with pytest.raises(ValueError, match="can be reached") as caught:
                Listener(server, host, 0)
            assert str(caught.value) == (
                f"{host!r} can be reached from other machines, and whoever reaches the server may "
                "use it. Listen on 127.0.0.1, or allow the network explicitly."
            )
        with running(server, "0.0.0.0", allow_network=True) as base:
            headers = {"Authorization": "Bearer x"}
            url = f"http://127.0.0.1:{port_of(base)}/v1/models"
            assert requests.get(url, headers=headers, timeout=5).status_code == 200


def test_listener__says_that_a_port_is_taken(base: str) -> None:
    with LocalServer() as server, pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        Listener(server, port=port_of(base))


def test_listener__shares_its_port_with_nobody_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # An option that Linux has too stands in for the one that only Windows has.
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with LocalServer() as server:
        listener = Listener(server, port=0)
        options = (socket.SO_KEEPALIVE, socket.SO_REUSEADDR)
        bound = listener._listener.socket
        assert [bound.getsockopt(socket.SOL_SOCKET, one) for one in options] == [1, 0]
        listener.stop()


def test_listener__takes_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with LocalServer() as server, running(server, "::1") as base:
        assert base.startswith("http://[::1]:")
        headers = {"Authorization": "Bearer x"}
        assert requests.get(f"{base}/models", headers=headers, timeout=5).status_code == 200


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to whole groups")
def test_serve__says_where_it_is_and_ends_with_ctrl_c() -> None:
    program = (
        "from finetune_client.local import LocalServer, serve\n"
        "with LocalServer() as server:\n"
        "    serve(server, port=0, ready=lambda url: print(url, flush=True))\n"
        "print('ended')\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        base = child.stdout.readline().strip()
        assert requests.get(f"{base}/models", timeout=10).status_code == 401
        child.send_signal(signal.SIGINT)
        told, complained = child.communicate(timeout=10)
    assert (told, complained, child.returncode) == ("ended\n", "", 0)
