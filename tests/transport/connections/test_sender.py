from __future__ import annotations

import os
from email.message import Message
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from finetune_client.errors import ConfigurationError
from finetune_client.transport import HTTPSession, Secret, Sender
from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.connections.sender import Outgoing

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


def outgoing(*, url: str = URL, cross_origin: bool = False) -> Outgoing:
    credential = None if cross_origin else CREDENTIAL
    headers = {"Accept": "*/*"}
    return Outgoing("GET", url, headers, None, credential, cross_origin=cross_origin)


def test_session__that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Sender(requests)  # type: ignore[arg-type]
    assert caught.value.message == "session must be a requests.Session, not module."


def test_own__client_certificate_stays_at_home() -> None:
    adapter = Recorder()
    sender = Sender(HTTPSession(url=URL, adapter=adapter, cert=__file__))
    sender.send(outgoing(), ATTEMPT)
    sender.send(outgoing(url="https://blobs.example/f", cross_origin=True), ATTEMPT)
    home, away = adapter.seen
    assert (home[1]["cert"], away[1]["cert"]) == (__file__, None)
    assert home[0].headers["Authorization"] == "Bearer sk-1"
    assert dict(away[0].headers) == {"Accept": "*/*"}
    assert "sk-1" not in repr(home[0].headers)


def test_own__an_adapter_that_was_given_is_kept_and_closed_by_its_owner() -> None:
    adapter = Recorder()
    closed: list[str] = []
    session = HTTPSession(url=URL, adapter=adapter)
    sender = Sender(session, on_close=lambda: closed.append("once"))
    assert sender.with_own_connections() is sender
    sender.drop_connections()
    assert (adapter.closed, closed) == (0, [])
    sender.close()
    sender.close()
    assert (adapter.closed, closed) == (0, ["once"])


def test_own__another_process_gets_connections_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = HTTPSession(url=URL)
    sender = Sender(session)
    used: list[tuple[requests.adapters.BaseAdapter, str]] = []

    def note(adapter: Any, request: Any, **_: Any) -> requests.Response:
        used.append((adapter, request.url))
        return requests.Response()

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", note)
    here = os.getpid()
    sender.send(outgoing(), ATTEMPT)
    sender.send(outgoing(), ATTEMPT)
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    sender.send(outgoing(), ATTEMPT)
    sender.send(outgoing(), ATTEMPT)
    first, second, third, fourth = (adapter for adapter, _ in used)
    assert first is second
    assert third is fourth
    assert first is not third


def test_own__connections_of_one_request_are_its_own() -> None:
    session = HTTPSession(url=URL, verify=False, proxies={"https": "http://p.example"})
    own = Sender(session).with_own_connections()._session
    assert isinstance(own, HTTPSession)
    assert own.get_adapter(URL) is not session.get_adapter(URL)
    assert own.get_adapter(URL) is own.get_adapter("http://api.example.com")
    assert (own.verify, own.proxies) == (False, {"https": "http://p.example"})
    own.close()


def test_callers__nothing_of_the_session_goes_to_another_origin() -> None:
    adapter = Recorder()
    with requests.Session() as session:
        session.mount("https://", adapter)
        session.headers["X-Secret"] = "s"
        session.auth = ("user", "pw")
        sender = Sender(session)
        sender.send(outgoing(), ATTEMPT)
        sender.send(outgoing(url="https://blobs.example/f", cross_origin=True), ATTEMPT)
        assert sender.with_own_connections() is sender
        sender.drop_connections()
        sender.close()
        assert not adapter.closed
    home, away = adapter.seen
    assert home[0].headers["X-Secret"] == "s"
    assert home[0].headers["Authorization"] == "Bearer sk-1"
    assert dict(away[0].headers) == {"Accept": "*/*"}
    assert home[1]["timeout"] == (1, 2)


def test_callers__what_requests_cannot_read_of_a_redirect_is_its_own_error() -> None:
    class Odd(Recorder):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            raise ValueError("Invalid IPv6 URL")

    session = requests.Session()
    session.mount("https://", Odd())
    with pytest.raises(requests.exceptions.InvalidHeader, match="Invalid IPv6 URL"):
        Sender(session).send(outgoing(), ATTEMPT)


def test_proxies__of_another_origin_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p.example:1")
    monkeypatch.setenv("NO_PROXY", "blobs.example")
    session = HTTPSession(url=URL)
    assert session.proxies["https"] == "http://p.example:1"
    assert session.proxies_for("https://blobs.example/f") == {}
    monkeypatch.setenv("NO_PROXY", "")
    assert session.proxies_for("https://blobs.example/g") == {}
    assert session.proxies_for("http://127.0.0.1:8000/f") == {}


def test_proxies__given_hold_for_every_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p.example:1")
    session = HTTPSession(url=URL, proxies={})
    assert session.proxies == session.proxies_for("https://blobs.example/f") == {}


def test_class__overrides_nothing_that_tools_replace() -> None:
    assert HTTPSession.send is requests.Session.send
    assert HTTPSession.get_adapter is requests.Session.get_adapter
    adapter = HTTPSession(url=URL).get_adapter(URL)
    assert type(adapter).send is requests.adapters.HTTPAdapter.send


def test_cookies__are_not_taken() -> None:
    message = Message()
    message["Set-Cookie"] = "session=1; Path=/"
    answer = SimpleNamespace(_original_response=SimpleNamespace(msg=message))
    request = requests.Request("GET", URL).prepare()
    kept = []
    for jar in (requests.Session().cookies, HTTPSession(url=URL).cookies):
        requests.cookies.extract_cookies_to_jar(jar, request, answer)
        kept.append([cookie.name for cookie in jar])
    assert kept == [["session"], []]
