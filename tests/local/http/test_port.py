"""The server on a port: its journey, its connections, how it starts and how it stops."""

from __future__ import annotations

import errno
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

from finetune_client.local import LocalServer, running
from finetune_client.local.http import port
from finetune_client.local.http.port import Listener
from tests.support.local_api import LocalApi, chat_lines, jsonl, port_of
from tests.support.processes import end_with
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture
def api(base: str) -> Iterator[LocalApi]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer local"
        yield LocalApi(session, base)


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


def test_slow_clients__do_not_keep_others_waiting(base: str, api: LocalApi) -> None:
    address = ("127.0.0.1", port_of(base))
    slow = [socket.create_connection(address) for _ in range(30)]
    try:
        for number, sock in enumerate(slow):
            half = b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer local\r\n"
            half += b"Content-Length: 50\r\n\r\nabc"
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


def test_listener__refuses_addresses_that_others_can_reach() -> None:
    with LocalServer() as server:
        for host in ("0.0.0.0", "192.0.2.1", "::", "example.org"):
            with pytest.raises(ValueError, match="can be reached") as caught:
                Listener(server, host, 0)
            assert str(caught.value) == (
                f"{host!r} can be reached from other machines. Listen on localhost, or allow the "
                "network explicitly."
            )
            with pytest.raises(ValueError, match="must check keys") as caught:
                Listener(server, host, 0, allow_network=True)
            assert str(caught.value) == (
                f"{host!r} can be reached from other machines, so the server must check keys: give "
                "it some."
            )


@pytest.mark.parametrize(
    ("host", "allow_network", "allowed"),
    [
        ("localhost", True, ()),
        ("127.0.0.1", False, ("tunes.example",)),
        ("0.0.0.0", False, ()),
        ("0.0.0.0", True, ()),
    ],
)
def test_listener__lets_nobody_else_reach_a_server_that_runs_python_graders(
    host: str, *, allow_network: bool, allowed: tuple[str, ...]
) -> None:
    options: dict[str, Any] = {"api_keys": {"sk-a": "team"}, "allowed_hosts": allowed}
    with LocalServer(allow_python_graders=True, **options) as server:
        with pytest.raises(ValueError, match="run code with your rights") as caught:
            Listener(server, host, 0, allow_network=allow_network)
        assert str(caught.value) == (
            "A server that runs python graders lets whoever reaches it run code with your rights, so "
            "no other machine may reach it: take neither allow_network nor allowed_hosts, and listen "
            "on localhost."
        )


def test_listener__a_server_that_runs_python_graders_is_for_this_machine() -> None:
    with LocalServer(allow_python_graders=True, allowed_hosts=["app.localhost"]) as server:
        for host in ("localhost", "127.0.0.1"):
            Listener(server, host, 0).stop()


def test_listener__on_the_network_takes_its_keys_and_the_names_that_are_allowed() -> None:
    with (
        LocalServer(api_keys={"sk-a": "team"}, allowed_hosts=["Finetune.Example"]) as server,
        running(server, "0.0.0.0", allow_network=True) as base,
    ):
        url = f"http://127.0.0.1:{port_of(base)}/v1/models"

        def status(key: str, host: str) -> int:
            headers = {"Authorization": f"Bearer {key}", "Host": host}
            return requests.get(url, headers=headers, timeout=5).status_code

        assert status("sk-a", "127.0.0.1") == 200
        assert status("sk-a", "finetune.example:8000") == 200
        assert status("sk-a", "192.0.2.7:8000") == status("sk-a", "[2001:db8::7]:8000") == 200
        assert status("sk-a", "192.0.2.7.other.example") == 421
        assert status("sk-a", "other.example") == 421
        assert status("sk-b", "finetune.example") == 401


def test_localhost__is_both_addresses_of_this_machine() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    headers = {"Authorization": "Bearer x"}
    with LocalServer() as server:
        with running(server) as base:
            assert base.startswith("http://127.0.0.1:")
            ports = port_of(base)
            for host in ("127.0.0.1", "[::1]"):
                url = f"http://{host}:{ports}/v1/models"
                assert requests.get(url, headers=headers, timeout=5).status_code == 200
        for host in ("127.0.0.1", "::1"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, ports))


def test_localhost__another_server_on_one_of_its_addresses_is_told() -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with LocalServer() as server, socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        taken = other.getsockname()[1]
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
            Listener(server, port=taken)
        # A free port is free on both.
        free = port._listen
        tried: list[tuple[str, int]] = []

        def choose(server: LocalServer, host: str, wanted: int, *rest: Any) -> Any:
            tried.append((host, wanted))
            return free(server, host, taken if len(tried) == 2 else wanted, *rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(port, "_listen", choose)
            listener = Listener(server, port=0)
        assert [host for host, _ in tried] == ["127.0.0.1", "::1"] * 2
        assert tried[0][1] == tried[2][1] == 0
        listener.stop()


def test_localhost__is_one_address_where_there_is_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    listen = port._listen

    def without_ipv6(server: LocalServer, host: str, *rest: Any) -> Any:
        if host == "::1":
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return listen(server, host, *rest)

    monkeypatch.setattr(port, "_listen", without_ipv6)
    headers = {"Authorization": "Bearer x"}
    with LocalServer() as server, running(server) as base:
        assert requests.get(f"{base}/models", headers=headers, timeout=5).status_code == 200


def test_listener__says_that_a_port_is_taken(base: str) -> None:
    with LocalServer() as server, pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        Listener(server, port=port_of(base))


def test_listener__takes_ipv6() -> None:
    if not has_ipv6():
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
        command, env=unmeasured(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        base = child.stdout.readline().strip()
        assert requests.get(f"{base}/models", timeout=10).status_code == 401
        told, complained = end_with(signal.SIGINT, child)
    assert (told, complained, child.returncode) == ("ended\n", "", 0)
