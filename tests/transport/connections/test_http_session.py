from __future__ import annotations

from email.message import Message
from types import SimpleNamespace
from typing import TYPE_CHECKING

import requests

from finetune_client.transport import HTTPSession

if TYPE_CHECKING:
    import pytest

URL = "https://api.example.com/v1/files/f/content"


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
