from __future__ import annotations

import copy
import pickle
import traceback
from typing import Any

import pytest

from finetune_client.errors import ConfigurationError
from finetune_client.transport.credentials import Credential, Secret, as_secret, check_headers

KEY = "sk-test-4f1c9d2e7ab85360"
NOT_A_KEY = (
    "api_key has characters in it that no key has: control characters or characters that are not "
    "ASCII. Was it copied with something around it?"
)


def _credential(key: Any, header: str = "Authorization") -> Credential:
    return Credential.of(key, header=header, name="api_key")


def test_secret__is_text_for_the_wire_only() -> None:
    secret = Secret(KEY)
    assert secret.encode("latin-1") == KEY.encode()
    assert secret == KEY
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>10}", "%s" % secret]  # noqa: UP031  # each way of showing
    assert shown == ["<secret>", "<secret>", "<secret>", "  <secret>", "<secret>"]
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


def test_secret__cannot_be_pickled() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match=r"^A secret cannot be pickled\. "):
            pickle.dumps(Secret(KEY), protocol)


@pytest.mark.parametrize(
    ("header", "value"), [("Authorization", f"Bearer {KEY}"), ("api-key", KEY)]
)
def test_credential__as_text(header: str, value: str) -> None:
    credential = _credential(f" {KEY}\n", header)
    secret = credential.secret()
    assert secret == KEY
    assert credential.header_value(secret) == value
    assert KEY not in repr(credential)


@pytest.mark.parametrize("key", [None, False])
def test_credential__none(key: Any) -> None:
    assert _credential(key).secret() is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "api_key is empty."),
        (" \n", "api_key is empty."),
        ("sk-\x00test", NOT_A_KEY),
        ("sk-\ntest", NOT_A_KEY),
        ("“sk-test”", NOT_A_KEY),
        (
            7,
            "api_key must be text, a callable that gives text, or False for none, not int.",
        ),
        (
            True,
            "api_key must be text, a callable that gives text, or False for none, not bool.",
        ),
    ],
)
def test_credential__refused(key: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _credential(key)
    assert caught.value.message == message


@pytest.mark.parametrize("key", ["not needed", " not needed ", "EMPTY", "-"])
def test_credential__of_a_server_that_needs_none(key: str) -> None:
    credential = _credential(key)
    secret = credential.secret()
    assert secret == key.strip()
    assert credential.header_value(secret).encode() == f"Bearer {key.strip()}".encode()


def test_callable__is_asked_each_time() -> None:
    keys = iter(["sk-one", "sk-two"])
    credential = _credential(lambda: next(keys))
    assert [credential.secret(), credential.secret()] == ["sk-one", "sk-two"]


def _fail() -> str:
    token = KEY
    raise LookupError(token)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (_fail, "api_key was asked for a key and failed: LookupError."),
        (
            lambda: None,
            "api_key was asked for a key and failed: it gave NoneType instead of text.",
        ),
        (lambda: "", "what api_key gave is empty."),
        (lambda: f"{KEY}\n{KEY}", "what " + NOT_A_KEY.replace("api_key", "api_key gave")),
    ],
)
def test_callable__that_fails(source: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _credential(source).secret()
    assert caught.value.message == message
    assert caught.value.__context__ is None
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(shown.format())


def test_hidden__leaves_what_is_no_text() -> None:
    assert as_secret(None) is None
    assert as_secret(False) is False
    assert as_secret(_fail) is _fail
    assert isinstance(as_secret(KEY), Secret)


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "proxy-authorization", "api-key", "X-API-Key", "Cookie", "SET-COOKIE"),
        *("Ocp-Apim-Subscription-Key", "x-goog-api-key", "X-Amz-Security-Token", "Helicone-Auth"),
        *("x-portkey-api-key", "x-litellm-api-key", "CF-Access-Client-Secret", "apikey"),
    ],
)
def test_headers__whose_name_says_that_they_are_secret_are_hidden(name: str) -> None:
    headers = check_headers({name: KEY})
    assert headers == {name: KEY}
    assert repr(headers) == f"{{{name!r}: <secret>}}"


@pytest.mark.parametrize(
    "name",
    [
        *("Idempotency-Key", "X-Author", "X-Keyboard", "X-Tokens-Used", "Sec-WebSocket-Key"),
        *("WWW-Authenticate", "X-Secretary", "X-Cookie-Policy"),
    ],
)
def test_headers__whose_name_only_resembles_a_secret_one_are_shown(name: str) -> None:
    assert repr(check_headers({name: "some text"})) == f"{{{name!r}: 'some text'}}"


def test_headers__with_the_clients_own_key_in_them_are_hidden() -> None:
    keys = [None, False, _fail, as_secret(f" {KEY}\n"), as_secret("short")]
    given = {"X-One": KEY, "X-Two": f"key={KEY};", "X-Three": "short", "X-Four": "text"}
    headers = check_headers(given, keys=keys)
    assert headers == given
    assert repr(headers) == (
        "{'X-One': <secret>, 'X-Two': <secret>, 'X-Three': 'short', 'X-Four': 'text'}"
    )


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\n", "ä", 7])
def test_headers__with_a_bad_name(name: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_headers({name: "x"})
    assert caught.value.message == f"headers has a name that is not valid: {name!r}."


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX: y", "\x00", " a", "a ", "…", 7, None, b"x"])
def test_headers__with_a_bad_value(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_headers({"X-Trace": value})
    assert caught.value.message == (
        "The value of 'X-Trace' in headers must be text without control characters or spaces "
        "around it, and within Latin-1."
    )


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "HOST", "Connection"])
def test_headers__that_frame_the_request_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_headers({name: "x"})
    assert caught.value.message == f"headers must not have {name!r} in it: the client sets it."
