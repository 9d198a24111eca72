from __future__ import annotations

import gzip
import http.client
import io
import zlib
from typing import Any
from unittest.mock import Mock

import pytest
import requests
import urllib3
from hypothesis import given, settings, strategies as st
from urllib3.exceptions import ProtocolError

from finetune_client.transport.exchange.response_body import (
    BLOCK,
    CutOffError,
    EncodingError,
    TooLargeError,
    discard,
    is_framed,
    raw_blocks,
    read_body,
    read_some,
)

CAP = 1000


def answer(body: Any, **headers: str) -> requests.Response:
    """An answer as an adapter gives it, its body still to come."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    source = io.BytesIO(body) if isinstance(body, bytes) else body
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(source, headers=named, preload_content=False)
    response.headers.update(named)
    return response


class Raw:
    """A raw answer, urllib3's, that ends in an exception."""

    def __init__(self, *steps: bytes | Exception) -> None:
        self._steps = list(steps)

    def stream(self) -> None:
        raise AssertionError("read without a bound")

    def read(self, _size: int, *, decode_content: bool) -> bytes:
        assert not decode_content
        step = self._steps.pop(0) if self._steps else b""
        if isinstance(step, Exception):
            raise step
        return step


def broken(*steps: bytes | Exception, **headers: str) -> requests.Response:
    response = answer(b"", **headers)
    response.raw = Raw(*steps)
    return response


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_plain__is_read_whole(encoding: str) -> None:
    assert read_body(answer(b"x" * CAP, Content_Encoding=encoding), CAP) == b"x" * CAP
    assert read_body(answer(b""), CAP) == b""


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip__is_decompressed(encoding: str) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0"
    assert read_body(answer(body, Content_Encoding=encoding), CAP) == b"one two"
    empty = answer(gzip.compress(b""), Content_Encoding=encoding)
    assert read_body(empty, CAP) == b""


def test_deflate__is_decompressed() -> None:
    assert read_body(answer(zlib.compress(b"one"), Content_Encoding="deflate"), CAP) == b"one"


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 300))
def test_gzip__of_any_size(data: bytes, times: int) -> None:
    whole = data * times
    packed = answer(gzip.compress(whole), Content_Encoding="gzip")
    assert read_body(packed, 10**6) == whole


def test_gzip__that_fills_blocks_exactly() -> None:
    for size in (BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK):
        packed = answer(gzip.compress(b"\0" * size), Content_Encoding="gzip")
        assert len(read_body(packed, 10**6)) == size


@pytest.mark.parametrize("cut", [1, 9, 10, 20, -9, -1])
def test_gzip__cut_short(cut: int) -> None:
    packed = gzip.compress(bytes(range(256)) * 3)[:cut]
    with pytest.raises(CutOffError, match=r"^the gzip stream is not whole$"):
        read_body(answer(packed, Content_Encoding="gzip"), CAP)


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (b"not gzip at all", "gzip", "it is not gzip as its headers say"),
        (gzip.compress(b"x", mtime=0) + b"junk", "gzip", "it is not gzip as its headers say"),
        (b"x", "br", "it is compressed as 'br'"),
        (b"x", "gzip, gzip", "it is compressed as 'gzip, gzip'"),
    ],
)
def test_encoding__that_is_wrong(body: bytes, encoding: str, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        read_body(answer(body, Content_Encoding=encoding), CAP)
    assert str(caught.value) == message
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"x" * (CAP + 1), ""),
        (gzip.compress(b"\0" * (CAP + 1), mtime=0), "gzip"),
        (gzip.compress(b"\0" * 10**7, mtime=0), "gzip"),
        (gzip.compress(b"", mtime=0) * 4000, "gzip"),
    ],
)
def test_cap__is_kept(body: bytes, encoding: str) -> None:
    with pytest.raises(TooLargeError):
        read_body(answer(body, Content_Encoding=encoding), CAP)


def test_length__that_is_not_reached() -> None:
    with pytest.raises(CutOffError, match=r"^3 of 9 bytes came$"):
        read_body(broken(b"abc", Content_Length="9"), CAP)


@pytest.mark.parametrize("length", ["-1", "x", "", "9" * 40, "٩"])
def test_length__that_says_nothing(length: str) -> None:
    assert read_body(broken(b"abc", Content_Length=length), CAP) == b"abc"


def test_length__does_not_count_for_chunks() -> None:
    chunked = broken(b"abc", Content_Length="9", Transfer_Encoding="chunked")
    assert read_body(chunked, CAP) == b"abc"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("read length must be non-negative or -1"), "its chunks are not well formed"),
        (
            ProtocolError("broken", http.client.IncompleteRead(b"x")),
            "the connection was closed before its end",
        ),
    ],
)
def test_end__that_is_not_one(error: Exception, message: str) -> None:
    with pytest.raises(CutOffError) as caught:
        list(raw_blocks(broken(b"abc", error), CAP))
    assert str(caught.value) == message
    assert caught.value.__context__ is None


def test_end__by_a_reset_is_left_to_others() -> None:
    with pytest.raises(ProtocolError):
        list(raw_blocks(broken(b"abc", ProtocolError("x", ConnectionResetError())), CAP))


def test_some__is_what_there_is() -> None:
    failures = (ProtocolError,)
    assert read_some(answer(b"x" * 5000), CAP, failures) == b"x" * CAP
    assert read_some(broken(b"abc", ProtocolError("x")), CAP, failures) == b"abc"
    assert read_some(broken(b"abc", Content_Length="9"), CAP, failures) == b"abc"
    packed = gzip.compress(b"\0" * 10**7)
    assert read_some(answer(packed, Content_Encoding="gzip"), CAP, failures) == b"\0" * CAP
    assert read_some(answer(b"abc", Content_Encoding="br"), CAP, failures) == b""


def test_discard__closes() -> None:
    response = answer(b"x")
    discard(response)
    assert response.raw.closed


def made(content: Any = False, raw: Any = None, **headers: str) -> requests.Response:
    """A response as a test makes it up."""
    response = requests.Response()
    response._content = content
    response.raw = raw
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (made(), b""),
        (made(None), b""),
        (made(b"abc"), b"abc"),
        (made(b"abc", io.BytesIO(b"other")), b"abc"),
        (made(b"abc", object()), b"abc"),
        (made(b"abc", Content_Length="7", Content_Encoding="gzip"), b"abc"),
        (made(False, io.BytesIO(b"abc")), b"abc"),
        (made(False, io.BytesIO(gzip.compress(b"abc")), Content_Encoding="gzip"), b"abc"),
        (made(False, io.BufferedReader(io.BytesIO(b"abc"))), b"abc"),
    ],
)
def test_made_up__is_read_like_any_other(response: requests.Response, body: bytes) -> None:
    assert read_body(response, CAP) == body
    discard(response)


def test_made_up__is_never_more_than_the_cap() -> None:
    for response in (made(b"x" * (CAP + 1)), made(False, io.BytesIO(b"x" * (CAP + 1)))):
        with pytest.raises(TooLargeError):
            read_body(response, CAP)
        assert read_some(made(b"x" * (CAP + 1)), CAP, ()) == b"x" * CAP


def test_made_up__in_blocks() -> None:
    assert list(raw_blocks(made(b"abcde"), 2)) == [b"ab", b"cd", b"e"]


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (Mock(), EncodingError, "its body gives Mock instead of bytes"),
        (io.StringIO("abc"), EncodingError, "its body gives str instead of bytes"),
        (io.BytesIO(b"read before"), CutOffError, "I/O operation on closed file"),
    ],
)
def test_made_up__that_gives_no_bytes(raw: Any, error: type[Exception], message: str) -> None:
    response = made(False, raw)
    if error is CutOffError:
        discard(response)
    with pytest.raises(error) as caught:
        read_body(response, CAP)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("response", "framed"),
    [
        (answer(b"abc"), True),
        (made(b"abc"), True),
        (made(False, io.BytesIO(b"abc")), True),
        (broken(b"abc"), False),
        (broken(b"abc", Content_Length="3"), True),
        (broken(b"abc", Transfer_Encoding="Chunked"), True),
    ],
)
def test_framed__by_headers_or_in_memory(response: requests.Response, framed: bool) -> None:
    assert is_framed(response) is framed
