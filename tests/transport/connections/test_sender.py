from __future__ import annotations

import hashlib
import os
from email.message import Message
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from finetune_client.errors import ConfigurationError
from finetune_client.transport import HTTPSession, Secret, Sender
from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.connections.sender import BodyError, Outgoing, SentBody

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Blocks:
    """A body of a few blocks, which notes how often it is begun."""

    content_type = "text/plain"

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks
        self.begun = 0

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def __iter__(self) -> Iterator[bytes]:
        self.begun += 1
        yield from self.blocks


def test_body__is_read_as_a_file() -> None:
    given = Blocks(b"abc", b"", b"defg")
    body = SentBody(given)
    assert [body.read(2), body.read(2), body.read(100), body.read(1)] == [b"ab", b"c", b"defg", b""]
    assert (body.tell(), given.begun, len(body)) == (7, 1, 7)
    assert body.seek(0) == 0
    assert body.read() == b"abcdefg"
    assert (body.read(), body.read(5)) == (b"", b"")
    assert given.begun == 2


@pytest.mark.parametrize(
    ("offset", "whence", "place", "rest"),
    [
        (4, os.SEEK_SET, 4, b"efg"),
        (3, os.SEEK_SET, 3, b"defg"),
        (-9, os.SEEK_SET, 0, b"abcdefg"),
        (1, os.SEEK_CUR, 3, b"defg"),
        (-2, os.SEEK_END, 5, b"fg"),
        (0, os.SEEK_END, 7, b""),
        (9, os.SEEK_SET, 9, b""),
    ],
)
def test_body__is_read_from_any_place(offset: int, whence: int, place: int, rest: bytes) -> None:
    body = SentBody(Blocks(b"abc", b"defg"))
    body.read(2)
    assert body.seek(offset, whence) == body.tell() == place
    assert body.read(None) == rest


def test_body__is_passed_on_in_its_own_blocks() -> None:
    block = b"x" * 65_536
    body = SentBody(Blocks(b"head", block))
    assert [body.read(65_536), body.read(65_536)] == [b"head", block]
    assert list(body) == [b"head", block]


def test_body__compares_with_bytes() -> None:
    body = SentBody(Blocks(b"abc", b"d"))
    assert body == b"abcd"
    assert body not in (b"abc", b"abce", "abcd", SentBody(Blocks(b"abcd")))
    assert {body: 1}[body] == 1
    assert repr(body) == "<a body of 4 bytes>"


def test_body__that_fails_while_it_is_read() -> None:
    class Failing(Blocks):
        def __iter__(self) -> Iterator[bytes]:
            yield b"ab"
            raise OSError("of the caller")

    body = SentBody(Failing(b"abcd"))
    assert body.read(10) == b"ab"
    with pytest.raises(BodyError) as caught:
        body.read(10)
    assert str(caught.value.error) == "of the caller"


class Signer(requests.auth.AuthBase):
    """Signs a body as SigV4 and HMAC schemes do: it reads all of it, and leaves it at its end."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body: Any = request.body or b""
        data = body if isinstance(body, bytes) else body.read()
        request.headers["X-Signature"] = hashlib.sha256(data).hexdigest()
        return request


@pytest.mark.parametrize("body", [b'{"model":"m"}', Blocks(b"abc", b"d"), None])
def test_callers__auth_sees_the_body_that_is_sent(body: Any) -> None:
    adapter = Recorder()
    with requests.Session() as session:
        session.mount("https://", adapter)
        session.auth = Signer()
        data = b"" if body is None else b"".join([body] if isinstance(body, bytes) else body)
        length = {"Content-Length": str(len(data))}
        Sender(session).send(Outgoing("POST", URL, length, body, None), ATTEMPT)
    sent: Any = adapter.seen[0][0]
    assert sent.headers["X-Signature"] == hashlib.sha256(data).hexdigest()
    assert sent.headers["Content-Length"] == str(len(data))
    assert "Transfer-Encoding" not in sent.headers
    assert (sent.body.read() if isinstance(sent.body, SentBody) else sent.body or b"") == data
