from __future__ import annotations

import os
from typing import Any

import pytest
import requests

from finetune_client.transport import BorrowedWire, OwnWire
from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.connections.sender import Outgoing
from finetune_client.transport.secret import Secret

URL = "https://api.example.com/v1/files/f/content"
ATTEMPT = Attempt(connect=1, read=2, deadline=None, monotonic=lambda: 0.0)
CREDENTIAL = ("Authorization", Secret("Bearer sk-1"))


class Recorder(requests.adapters.BaseAdapter):
    """An adapter that notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[requests.PreparedRequest, dict[str, Any]]] = []
        self.closed = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **given: Any) -> requests.Response:
        self.seen.append((request, given))
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = request.url or ""
        response._content = b""
        return response

    def close(self) -> None:
        self.closed += 1


def outgoing(*, url: str = URL, foreign: bool = False) -> Outgoing:
    credential = None if foreign else CREDENTIAL
    return Outgoing("GET", url, {"Accept": "*/*"}, None, credential, foreign=foreign)


def test_own__client_certificate_stays_at_home() -> None:
    adapter = Recorder()
    wire = OwnWire(url=URL, adapter=adapter, cert=__file__)
    wire.send(outgoing(), ATTEMPT)
    wire.send(outgoing(url="https://blobs.example/f", foreign=True), ATTEMPT)
    home, away = adapter.seen
    assert (home[1]["cert"], away[1]["cert"]) == (__file__, None)
    assert home[0].headers["Authorization"] == "Bearer sk-1"
    assert dict(away[0].headers) == {"Accept": "*/*"}
    assert "sk-1" not in repr(home[0].headers)


def test_own__an_adapter_that_was_given_is_kept_and_closed_by_its_owner() -> None:
    adapter = Recorder()
    closed: list[str] = []
    wire = OwnWire(url=URL, adapter=adapter, on_close=lambda: closed.append("once"))
    with_own = wire.fresh()
    with_own.send(outgoing(), ATTEMPT)
    with_own.close()
    wire.drop()
    assert (len(adapter.seen), adapter.closed, closed) == (1, 0, [])
    wire.close()
    wire.close()
    assert (adapter.closed, closed) == (0, ["once"])


def test_own__another_process_gets_connections_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = OwnWire(url=URL)
    before = wire._current()
    assert wire._current() is before
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    after = wire._current()
    assert after is not before
    assert wire._current() is after


def test_own__fresh_has_connections_of_its_own() -> None:
    wire = OwnWire(url=URL, verify=False, proxies={"https": "http://p.example"})
    fresh = wire.fresh()
    assert isinstance(fresh, OwnWire)
    assert fresh._current() is not wire._current()
    assert (fresh._verify, fresh._proxies) == (False, {"https": "http://p.example"})
    fresh.close()


def test_own__proxies_of_another_origin_are_looked_up_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p.example:1")
    monkeypatch.setenv("NO_PROXY", "blobs.example")
    wire = OwnWire(url=URL)
    assert wire._home["https"] == "http://p.example:1"
    assert wire._route("https://blobs.example/f") == {}
    monkeypatch.setenv("NO_PROXY", "")
    assert wire._route("https://blobs.example/g") == {}
    assert wire._route("http://127.0.0.1:8000/f") == {}


def test_borrowed__nothing_of_the_session_goes_to_another_origin() -> None:
    adapter = Recorder()
    with requests.Session() as session:
        session.mount("https://", adapter)
        session.headers["X-Secret"] = "s"
        session.auth = ("user", "pw")
        wire = BorrowedWire(session)
        wire.send(outgoing(), ATTEMPT)
        wire.send(outgoing(url="https://blobs.example/f", foreign=True), ATTEMPT)
        assert wire.fresh() is wire
        wire.drop()
        wire.close()
    home, away = adapter.seen
    assert home[0].headers["X-Secret"] == "s"
    assert home[0].headers["Authorization"] == "Bearer sk-1"
    assert dict(away[0].headers) == {"Accept": "*/*"}
    assert home[1]["timeout"] == (1, 2)


def test_borrowed__what_requests_cannot_read_of_a_redirect_is_its_own_error() -> None:
    class Odd(Recorder):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            raise ValueError("Invalid IPv6 URL")

    session = requests.Session()
    session.mount("https://", Odd())
    with pytest.raises(requests.exceptions.InvalidHeader, match="Invalid IPv6 URL"):
        BorrowedWire(session).send(outgoing(), ATTEMPT)
