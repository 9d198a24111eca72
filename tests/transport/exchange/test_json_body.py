from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import RequestError
from finetune_client.transport.exchange.json_body import (
    UnreadableError,
    decode_json,
    encode_json,
    excerpt,
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


def test_decoded__nan_comes_in() -> None:
    loss = decode_json(b'{"loss": NaN}')["loss"]
    assert loss != loss  # noqa: PLR0124  # only NaN does that


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
