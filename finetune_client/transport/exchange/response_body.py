"""Reading a response's body: never more than a cap, compressed or not, and whole or not at all.

A response need not come over a connection: tests make them up, and hooks of a caller's session
read them first.
"""

from __future__ import annotations

import io
import traceback
import zlib
from http.client import IncompleteRead
from typing import TYPE_CHECKING, Any, Final

from urllib3.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

__all__ = [
    "BLOCK",
    "CutOffError",
    "EncodingError",
    "TooLargeError",
    "content_length",
    "discard",
    "is_framed",
    "raw_blocks",
    "read_body",
    "read_some",
]

BLOCK: Final = 64 * 1024

_PLAIN: Final = frozenset({"", "identity"})
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class CutOffError(Exception):
    """The body ended before its length, or has none that can be made out."""


class EncodingError(Exception):
    """The body is not what its headers say, is compressed in a way that was not asked for, or is not bytes."""


class TooLargeError(Exception):
    """The body is larger than the cap."""


def read_body(response: Response, cap: int) -> bytes:
    """Read and decompress a whole body of at most ``cap`` bytes.

    Raises:
        CutOffError, EncodingError, TooLargeError: The body is not whole, or not to be had.
    """
    encoding = _encoding(response)
    if encoding in _PLAIN:
        return _join(raw_blocks(response, cap + 1), cap)
    return _join(_decompress(raw_blocks(response, BLOCK), encoding, cap), cap)


def read_some(response: Response, cap: int, failures: tuple[type[Exception], ...]) -> bytes:
    """Read what is to be had of a body, at most ``cap`` bytes; an early end is not an error."""
    encoding = _encoding(response)
    blocks = raw_blocks(response, BLOCK)
    if encoding not in _PLAIN:
        blocks = _decompress(blocks, encoding, cap)
    taken = bytearray()
    try:
        for block in blocks:
            taken += block
            if len(taken) >= cap:
                break
    except (CutOffError, EncodingError, TooLargeError):
        pass
    except failures:
        pass
    return bytes(taken[:cap])


def raw_blocks(response: Response, size: int) -> Iterator[bytes]:
    """Yield a body as it was sent, or as it was read before, at most ``size`` bytes at a time.

    Raises:
        CutOffError: It ended before its Content-Length.
        EncodingError: It is not bytes.
    """
    content = _content_read(response)
    if content is not None:
        yield from (content[start : start + size] for start in range(0, len(content), size))
        return
    length = content_length(response.headers)  # urllib3 1.26 does not compare it
    count = 0
    while block := _read_block(response, size):
        count += len(block)
        yield block
        if count == length:
            return
    if length is not None and count < length:
        raise CutOffError(f"{count} of {length} bytes came")


def _read_block(response: Response, size: int) -> bytes:
    raw = response.raw
    try:
        # What requests tells urllib3's answers by, too; a plain file has nothing to decode.
        streams = hasattr(raw, "stream")
        block = raw.read(size, decode_content=False) if streams else raw.read(size)
    except ValueError as error:  # `http.client` lets it out for a chunk whose size is below zero
        closed = getattr(raw, "closed", False)
        reason = str(error).rstrip(".") if closed else "its chunks are not well formed"
    except ProtocolError as error:
        if not any(isinstance(cause, IncompleteRead) for cause in error.args):
            raise
        traceback.clear_frames(error.__traceback__)  # since Python 3.12 they hold what they raised
        reason = "the connection was closed before its end"
    else:
        if not isinstance(block, bytes):
            raise EncodingError(f"its body gives {type(block).__name__} instead of bytes")
        return block
    raise CutOffError(reason)


def _content_read(response: Response) -> bytes | None:
    """Return the body, decompressed, if it was read before or was never to be read from anywhere."""
    content = getattr(response, "_content", False)  # False before it is read, and None for none
    if isinstance(content, bytes):
        return content
    return b"" if response.raw is None else None


def is_framed(response: Response) -> bool:
    """Return whether it is known where the body ends: by its headers, or as it is in memory already."""
    if content_length(response.headers) is not None or _content_read(response) is not None:
        return True
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return True
    return isinstance(getattr(response.raw, "_fp", response.raw), io.BytesIO)  # a fake's


def discard(response: Response) -> None:
    """Close the connection, unless the body was read to its end: then it is in the pool already."""
    for name in ("close", "release_conn"):
        method = getattr(response.raw, name, None)
        if method is not None:
            method()


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return how many bytes a response says that its body has, as sent; `None` if it does not say.

    In chunks, a length that stands there too says nothing: RFC 9112, section 6.3.
    """
    if "Transfer-Encoding" in headers:
        return None
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _encoding(response: Response) -> str:
    """Return how what `raw_blocks` yields is compressed."""
    if _content_read(response) is not None:
        return ""
    return response.headers.get("Content-Encoding", "").strip().lower()


def _join(blocks: Iterator[bytes], cap: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        size += len(block)
        if size > cap:
            raise TooLargeError(f"more than {cap} bytes")
        parts.append(block)
    return b"".join(parts)


def _decompress(blocks: Iterator[bytes], encoding: str, cap: int) -> Iterator[bytes]:
    """Decompress; never more than a block is held at once, and no body is read for ever.

    urllib3 bounds this since 2.7 only (before, 0.5 MB of gzip could take 1 GiB), and takes a
    stream that ends early for a whole one.
    """
    if encoding not in _WINDOW_BITS:
        raise EncodingError(f"it is compressed as {encoding[:40]!r}")
    decoder = _decoder(encoding)
    taken = 0
    for block in blocks:
        taken += len(block)
        if taken > cap + BLOCK:
            raise TooLargeError(f"more than {cap} bytes")
        data, more = block, False
        while data or more:
            if decoder.eof:
                if not data.strip(b"\0"):
                    break
                decoder = _decoder(encoding)
            plain = _decompress_block(decoder, data, encoding)
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            more = len(plain) == BLOCK
            if plain:
                yield plain
    if not decoder.eof:
        raise CutOffError(f"the {encoding} stream is not whole")


def _decompress_block(decoder: Any, data: bytes, encoding: str) -> bytes:
    try:
        plain: bytes = decoder.decompress(data, BLOCK)
    except zlib.error:
        pass
    else:
        return plain
    raise EncodingError(f"it is not {encoding} as its headers say")


def _decoder(encoding: str) -> Any:
    return zlib.decompressobj(_WINDOW_BITS[encoding])
