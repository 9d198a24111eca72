from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError
from finetune_client.transport.exchange import json_body
from finetune_client.transport.exchange.json_body import (
    UnreadableError,
    decode_json,
    encode_json,
    excerpt,
)

if TYPE_CHECKING:
    from collections.abc import Callable

JOB = (
    b'{"id": "ftjob-1", "created_at": 1721764800, "seed": 950189191, "learning_rate": 1.5e-3, '
    b'"error": null, "n_epochs": "auto", "metadata": {"k\\u00e9y": "\xc3\xa4"}, "files": []}'
)


def _deep() -> Any:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "body"),
    [
        ({"a": 1, "b": [True, None]}, b'{"a":1,"b":[true,null]}'),
        ("ä", '"ä"'.encode()),
        (None, b"null"),
    ],
)
def test_encoded(data: Any, body: bytes) -> None:
    assert encode_json(data) == body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"a": {1, 2}}, "Object of type set is not JSON serializable"),
        ({"a": "\ud800"}, "it has text in it that is not valid Unicode"),
        ({("a",): 1}, "keys must be str, int, float, bool or None, not tuple"),
    ],
)
def test_encoded__refused(data: Any, reason: str) -> None:
    with pytest.raises(RequestError) as caught:
        encode_json(data)
    assert caught.value.message == f"The body cannot be written as JSON: {reason}."


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_encoded__no_nan_goes_out(number: float) -> None:
    with pytest.raises(RequestError, match=r"^The body cannot be written as JSON: Out of range"):
        encode_json({"beta": number})


def test_encoded__deep() -> None:
    with pytest.raises(RequestError) as caught:
        encode_json(_deep())
    assert caught.value.message == ("The body cannot be written as JSON: it is nested too deeply.")


@pytest.fixture(params=["json", "msgspec"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Decode with `json` alone, or with msgspec first."""
    if request.param == "json":
        monkeypatch.setattr(json_body, "_fast_decoder", lambda: None)
    else:
        assert json_body._fast_decoder() is not None
    return str(request.param)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b'{"id": "x"}', {"id": "x"}),
        (b'\xef\xbb\xbf{"id": "x"}', {"id": "x"}),
        (b' \r\n{"id": "x"}\n', {"id": "x"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"loss": -Infinity}', {"loss": float("-inf")}),
        (b"null", None),
    ],
)
def test_decoded(body: bytes, data: Any) -> None:
    assert decode_json(body) == data


@pytest.mark.usefixtures("decoder")
def test_decoded__nan_comes_in() -> None:
    loss = decode_json(b'{"loss": NaN}')["loss"]
    assert loss != loss  # noqa: PLR0124  # only NaN does that


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"id": "x"', "it is not JSON (Expecting ',' delimiter: line 1 column 11 (char 10))"),
        (b"{} {}", "it is not JSON (Extra data: line 1 column 4 (char 3))"),
        (b"<html>", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (b'{"id": "\xff"}', "it is not UTF-8"),
        ('{"id": "x"}'.encode("utf-16"), "it is not UTF-8"),
    ],
)
def test_decoded__unreadable(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode_json(body)
    assert str(caught.value) == reason
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000 + b"x"])
def test_decoded__too_much(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        decode_json(body)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_decoded__of_any_bytes(body: bytes) -> None:
    try:
        data = decode_json(body)
    except UnreadableError:
        return
    json.dumps(data)


def outcome(decode: Callable[[bytes], Any], body: bytes) -> str:
    """Return what decoding ends in, so that NaN equals NaN, and 1.0 does not equal 1."""
    try:
        return repr(decode(body))
    except UnreadableError as error:
        return f"unreadable: {error}"


def decode_by_json(body: bytes) -> Any:
    with patch.object(json_body, "_fast_decoder", lambda: None):
        return decode_json(body)


ODD = [
    b'{"a": 1, "b": 2, "a": 3}',
    b'{"a": NaN}',
    b"[1e400, -1E400, 1e-400, 5e-324, 1.7976931348623157e308, 2.2250738585072011e-308]",
    b"[-0, -0.0, 0.1e1, 1E5, 0.30000000000000004, 12345678901234567890123.0]",
    b"[9223372036854775807, 9223372036854775808, 18446744073709551616, -9223372036854775809]",
    b"9" * 4000,
    b"9" * 5000,
    b'"\\ud800"',
    b'"\\ud83d\\ude00 \\udc00\\ud800 \\u0000 \\/ \x7f"',
    b'{"\\ud800": 1}',
    b'"\xed\xa0\x80"',
    b'\xef\xbb\xbf{"a": 1}',
    b"\xef\xbb\xbf",
    b"\x0c{}",
    b"\x00",
    b'"\x01"',
    b'"\t"',
    b'"\\x"',
    b"[1,]",
    b"[1 2]",
    b"{'a': 1}",
    b"01",
    b"-",
    b"+1",
    b".5",
    b"1.",
    b"nul",
    b"True",
    b"{}\x00",
    b"[" * 500 + b"]" * 500,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
    '"ä"'.encode("latin-1"),
    '{"a": 1}'.encode("utf-16"),
    '{"a": 1}'.encode("utf-32"),
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_decoders__agree_on_what_is_odd(body: bytes) -> None:
    assert outcome(decode_json, body) == outcome(decode_by_json, body)


TEXT = st.text(st.characters(exclude_categories=())).map(json.dumps)
NUMBER = st.floats().map(repr) | st.from_regex(
    r"-?[0-9]{1,30}(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,4})?"
)
VALUE = st.recursive(
    TEXT | NUMBER | st.sampled_from(["null", "true", "false", "NaN", "-Infinity", " ", ""]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(['"a"', '"b"', "a"]) | TEXT, inner), max_size=4).map(
            lambda pairs: "{" + ",".join(f"{key}: {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(VALUE.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(max_size=40))
def test_decoders__agree_on_anything(body: bytes) -> None:
    assert outcome(decode_json, body) == outcome(decode_by_json, body)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_decoders__agree_on_a_job_that_was_damaged(data: st.DataObject) -> None:
    body = bytearray(JOB)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert outcome(decode_json, bytes(body)) == outcome(decode_by_json, bytes(body))


def test_decoder__is_json_where_msgspec_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    assert json_body._fast_decoder.__wrapped__() is None


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("plain", "plain"),
        (" a\r\n\tb ", "a b"),
        ("a\x1b[31mb\u202ec\x00", "a [31mb c"),
        ("x" * 30, "x" * 19 + "…"),
        ("\ud800", ""),
    ],
)
def test_excerpt(text: str, short: str) -> None:
    assert excerpt(text, 20) == short
