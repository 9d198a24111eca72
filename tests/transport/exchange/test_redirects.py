from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.transport.exchange.redirects import (
    RedirectNotFollowed,
    Target,
    redirect_target,
)
from finetune_client.transport.origin import parse_base_url, split_url

BASE = parse_base_url("https://api.example.com/v1")
HERE = Target("https://api.example.com/v1/files/file-1/content")
NO_URL = "its Location is not an http(s) URL without a user name"


def _next(location: str | None, at: Target = HERE, **changed: Any) -> Target:
    given: dict[str, Any] = {"number": 1, "method": "GET", "base": BASE, "allow_cross_origin": True}
    given.update({"allow_http": False, **changed})
    headers = {} if location is None else {"Location": location}
    return redirect_target(given.pop("number"), given.pop("method"), headers, current=at, **given)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/v1/files/file-2", "https://api.example.com/v1/files/file-2"),
        ("../file-2?x=y", "https://api.example.com/v1/files/file-2?x=y"),
        ("https://api.example.com:443/x#frag", "https://api.example.com:443/x"),
        ("//api.example.com/x", "https://api.example.com/x"),
        ("/a b/ä", "https://api.example.com/a%20b/%C3%A4"),
    ],
)
def test_same_origin__is_followed(location: str, url: str) -> None:
    assert _next(location, allow_cross_origin=False) == Target(url)


def test_other_origin__is_followed_for_content_and_stays_cross_origin() -> None:
    away = _next("https://blobs.example.net/f?sig=a%2Fb")
    assert away == Target("https://blobs.example.net/f?sig=a%2Fb", cross_origin=True)
    back = _next("https://api.example.com/v1/files", at=away)
    assert back == Target("https://api.example.com/v1/files", cross_origin=True)


@pytest.mark.parametrize(
    ("location", "changed", "reason"),
    [
        (None, {}, "it does not say where to"),
        ("", {}, "it does not say where to"),
        ("/x", {"method": "POST"}, "a POST is never redirected, here to api.example.com:443"),
        ("/x", {"number": 6}, "it is one more than 5 in a row, here to api.example.com:443"),
        (
            "http://api.example.com/x",
            {},
            "it leads from https to http, at api.example.com:80",
        ),
        (
            "https://evil.example/x",
            {"allow_cross_origin": False},
            "it leads to another origin, evil.example:443",
        ),
        (
            "https://api.example.com:8443/x",
            {"allow_cross_origin": False},
            "it leads to another origin, api.example.com:8443",
        ),
        ("https://user:pw@api.example.com/x", {}, NO_URL),
        ("http://[::1", {}, NO_URL),
        ("ftp://api.example.com/x", {}, NO_URL),
        ("javascript:alert(1)", {}, NO_URL),
        ("https://api.example.com:99999/", {}, NO_URL),
        ("https://api.example.com\\@evil.example/", {}, "its Location is not a URL"),
        ("/x\r\nHost: evil", {}, "its Location is not a URL"),
    ],
)
def test_refused(location: str | None, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(RedirectNotFollowed) as caught:
        _next(location, **changed)
    assert str(caught.value) == reason


def test_plain_http__stays_on_this_machine() -> None:
    base = parse_base_url("http://127.0.0.1:8000/v1")
    at = Target("http://127.0.0.1:8000/v1/files/f/content")
    assert _next("http://localhost:9000/f", at, base=base).cross_origin
    with pytest.raises(RedirectNotFollowed) as caught:
        _next("http://blobs.example/f", at, base=base)
    assert str(caught.value) == "it leads over plain http to blobs.example:80"
    assert _next("http://blobs.example/f", at, base=base, allow_http=True).cross_origin
    with pytest.raises(RedirectNotFollowed, match=r"^it leads from http to https, at blobs"):
        _next("https://blobs.example/f", at, base=base)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_location__is_refused_or_leads_over_https(location: str) -> None:
    try:
        target = _next(location)
    except RedirectNotFollowed:
        return
    assert target.url.startswith("https://")
    assert target.cross_origin == (split_url(target.url).origin != BASE.origin)
