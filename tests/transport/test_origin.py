from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import ConfigurationError
from finetune_client.transport.origin import parse_base_url, split_url

NO_URL = (
    "base_url must be a URL such as 'https://api.example.com/v1', with http or https, a host and, "
    "if need be, a port from 1 to 65535."
)
NO_SPACES = "base_url must not have spaces or control characters in it."
NO_USER = "base_url must not have a user name or password in it; give the key as api_key=."
NO_QUERY = "base_url must not have a query or a fragment; give query= to the client instead."
NO_HOST = "base_url has a host name that is not valid."


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        (" https://api.example.com ", "https://api.example.com"),
        ("HTTPS://API.Example.COM:443/a/b//", "https://api.example.com/a/b"),
        (
            "https://gateway.example:8443/openai%20x/v1",
            "https://gateway.example:8443/openai%20x/v1",
        ),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://finetune.localhost/v1", "http://finetune.localhost/v1"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
        ("https://my_host/v1", "https://my_host/v1"),
    ],
)
def test_base_url__is_put_in_form(text: str, url: str) -> None:
    assert parse_base_url(text).url == url


@pytest.mark.parametrize(
    ("text", "netloc"),
    [
        ("https://api.example.com:443/v1", "api.example.com"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://localhost:80", "localhost"),
    ],
)
def test_base_url__is_named_in_messages(text: str, netloc: str) -> None:
    assert parse_base_url(text).netloc == netloc


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (7, "base_url must be text, not int."),
        ("", NO_URL),
        ("api.openai.com/v1", NO_URL),
        ("ftp://example.com", NO_URL),
        ("https://", NO_URL),
        ("https://:8000/v1", NO_URL),
        ("https://example.com:99999", NO_URL),
        ("https://example.com:0", NO_URL),
        ("https://example.com:port", NO_URL),
        ("https://[::1", NO_URL),
        ("https://exa mple.com", NO_SPACES),
        ("https://example.com/v1\x00", NO_SPACES),
        ("https://example.com\\@evil.example", NO_SPACES),
        ("https://user:pw@example.com", NO_USER),
        ("https://user@example.com", NO_USER),
        ("https://@example.com", NO_USER),
        ("https://example.com/v1?x=1", NO_QUERY),
        ("https://example.com/v1?", NO_QUERY),
        ("https://example.com/v1#x", NO_QUERY),
        ("https://exa%6Dple.com", NO_HOST),
        ("https://" + "a" * 70 + ".example", NO_HOST),
        (
            "https://example.com/a/../b",
            "base_url has a path that is not plain: '/a/../b'; percent-encode it.",
        ),
        (
            "https://example.com/a/%2e%2E/b",
            "base_url has a path that is not plain: '/a/%2e%2E/b'; percent-encode it.",
        ),
        (
            "https://example.com/ä",
            "base_url has a path that is not plain: '/ä'; percent-encode it.",
        ),
        (
            "http://api.example.com/v1",
            (
                "base_url is plain http to api.example.com, which would show the key to the network. "
                "Use https, or pass allow_http=True (--allow-http) if that network is trusted."
            ),
        ),
    ],
)
def test_base_url__refused(text: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url(text)
    assert caught.value.message == message
    assert "pw" not in message


def test_base_url__plain_http_if_asked_for() -> None:
    assert parse_base_url("http://8.8.8.8/v1", allow_http=True).host == "8.8.8.8"


@pytest.mark.parametrize(
    "host",
    [
        *("vllm", "VLLM", "vllm.", "my_host", "gpu-1", "x1"),
        *("box.local", "a.box.local.", "host.docker.internal", "metadata.google.internal"),
        *("10.0.0.7", "172.16.0.1", "172.31.255.255", "192.168.1.20", "169.254.1.1"),
        *("[fe80::1]", "[fd12:3456::1]", "[fc00::7]", "[::ffff:10.0.0.7]"),
        *("0.0.0.0", "[::]"),
    ],
)
def test_base_url__plain_http_on_a_network_of_ones_own(host: str) -> None:
    base = parse_base_url(f"http://{host}:8000/v1")
    assert (base.is_private, base.is_loopback, base.port) == (True, False, 8000)


@pytest.mark.parametrize(
    "host",
    [
        *("api.example.com", "local.example.com", "internal.example", "a.local.example"),
        *("8.8.8.8", "172.15.0.1", "172.32.0.1", "11.0.0.1", "192.169.0.1", "100.64.0.1"),
        *("134744072", "0x8080808", "010.8.8.8", "8.8", "[2001:db8::1]", "[::ffff:8.8.8.8]"),
    ],
)
def test_base_url__plain_http_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="is plain http to"):
        parse_base_url(f"http://{host}/v1")


def test_origin__has_the_default_port() -> None:
    assert split_url("https://a.example/x?y=z").origin == ("https", "a.example", 443)
    assert split_url("https://A.example:443/").origin == ("https", "a.example", 443)
    assert split_url("http://A.example/").origin == ("http", "a.example", 80)
    assert split_url("https://a.example/x?y=z").url == "https://a.example/x?y=z"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["", "https://", "https://a.example"]))
def test_base_url__of_any_text(text: str, start: str) -> None:
    try:
        base = parse_base_url(start + text)
    except ConfigurationError:
        return
    assert base.url.isascii()
    assert base.url == parse_base_url(base.url).url
