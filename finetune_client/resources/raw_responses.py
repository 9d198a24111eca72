"""What a call was answered with, beside what the call returns: status, headers, bytes.

``client.files.with_raw_response.retrieve(id)`` makes the call over a session that remembers the
last response, so no call has code of its own for it.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from os import PathLike
from typing import Any, TypeVar

import requests  # noqa: TC002 - in an annotation, which is read at run time

from finetune_client.atomic_file import replacing
from finetune_client.backports import Self
from finetune_client.errors import RequestError
from finetune_client.resources.arguments import as_path
from finetune_client.resources.base import Part, Resource
from finetune_client.transport import APIResponse, Config, Request, Session, StreamedResponse

__all__ = ["RawCalls", "RawResponse", "StreamingCalls", "StreamingResponse"]

C = TypeVar("C", "RawCalls", "StreamingCalls")


class RawCalls:
    """The calls of a part, each of which returns a `RawResponse`: ``with_raw_response``.

    Parts of the part are there too: ``client.with_raw_response.fine_tuning.jobs.list()``.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        call = _find(self, self._part, name)
        if isinstance(call, RawCalls):
            return call

        def call_raw(*args: Any, **kwargs: Any) -> RawResponse:
            return _call(self._part, name, args, kwargs)

        return call_raw

    def __dir__(self) -> list[str]:
        return _public_names(self._part)

    def __repr__(self) -> str:
        return f"<RawCalls of {type(self._part).__name__}>"


class StreamingCalls:
    """The calls of a part, each a context manager: ``with_streaming_response``.

    The request is sent when the context is entered. A file's content is read block by block;
    all other answers are JSON, which is read at once.
    """

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        call = _find(self, self._part, name)
        if isinstance(call, StreamingCalls):
            return call

        def open_response(*args: Any, **kwargs: Any) -> AbstractContextManager[StreamingResponse]:
            return _open(self._part, name, args, kwargs)

        return open_response

    def __dir__(self) -> list[str]:
        return _public_names(self._part)

    def __repr__(self) -> str:
        return f"<StreamingCalls of {type(self._part).__name__}>"


class _Response:
    """What `RawResponse` and `StreamingResponse` have in common.

    Attributes:
        http_response: What `requests` made of it.
        request_id: The server's name for the request, if it gave one.
    """

    def __init__(self, http_response: requests.Response, request_id: str | None) -> None:
        self.http_response = http_response
        self.request_id = request_id

    @property
    def http_request(self) -> requests.PreparedRequest:
        """The request as it was sent; the key in its headers shows as ``<secret>``."""
        return self.http_response.request

    @property
    def headers(self) -> Any:
        """The response's headers; their names have no case."""
        return self.http_response.headers

    @property
    def status_code(self) -> int:
        """The response's status."""
        return self.http_response.status_code

    @property
    def url(self) -> str:
        """Where the request went, with its query."""
        return self.http_request.url or ""

    @property
    def method(self) -> str:
        """The request's method."""
        return self.http_request.method or ""

    @property
    def elapsed(self) -> timedelta:
        """How long it took from sending the request to the end of the headers."""
        return self.http_response.elapsed

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status_code} to {self.method} {self.url}>"


class RawResponse(_Response):
    """The response to a call, as ``with_raw_response`` gives it.

    Where a call sends several requests, it is the response to the last of them, or that with
    the file's content.

    Attributes:
        content: The body, decompressed; empty if it was written to a file.
    """

    is_closed = True

    def __init__(
        self,
        http_response: requests.Response,
        request_id: str | None,
        *,
        content: bytes,
        result: Any,
    ) -> None:
        super().__init__(http_response, request_id)
        self.content = content
        self._result = result

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are not are shown as U+FFFD."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.content)

    def parse(self) -> Any:
        """Return what the call returns without ``with_raw_response``."""
        return self._result


class StreamingResponse(_Response):
    """The response to a call, as ``with_streaming_response`` gives it.

    Its body can be read once, by one of its methods, except that `read` keeps it.

    Attributes:
        is_closed: Whether the context was left.
    """

    def __init__(
        self,
        http_response: requests.Response,
        request_id: str | None,
        *,
        blocks: Iterator[bytes],
        parse: Callable[[bytes], Any],
        on_close: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(http_response, request_id)
        self.is_closed = False
        self._blocks = blocks
        self._on_close = on_close
        self._parse = parse
        self._content: bytes | None = None
        self._is_being_read = False

    def read(self) -> bytes:
        """Return the whole body; it can be called again.

        Raises:
            RequestError: A part of it was read already.
        """
        if self._content is None:
            self._content = b"".join(self._once())
        return self._content

    def text(self) -> str:
        """Return the whole body as UTF-8; bytes that are not are shown as U+FFFD."""
        return self.read().decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.read())

    def parse(self) -> Any:
        """Return what the call returns without ``with_streaming_response``."""
        return self._parse(self.read())

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the body in blocks.

        Args:
            chunk_size: Bytes of each block but the last; without it, blocks are as they come.

        Raises:
            RequestError: It was read already.
        """
        blocks = self._once() if self._content is None else iter([self._content])
        return blocks if chunk_size is None else _cut(blocks, chunk_size)

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Yield the body as UTF-8 in blocks, see `iter_bytes`; no character is cut."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for block in self.iter_bytes(chunk_size):
            if text := decoder.decode(block):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def iter_lines(self) -> Iterator[str]:
        """Yield the body's lines without their ends, such as the examples of a JSONL file."""
        rest = b""
        for block in self.iter_bytes():
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r").decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")

    def stream_to_file(self, file: str | PathLike[str]) -> None:
        """Write the body to a file, whole or not at all.

        Raises:
            RequestError: ``file`` is not a path, or is a directory or a device.
            OSError: It cannot be written.
        """
        with replacing(as_path(file, "file")) as sink:
            for block in self.iter_bytes():
                sink.write(block)

    def close(self) -> None:
        """Close the connection, if the body was not read to its end."""
        self.is_closed = True
        if self._on_close is not None:
            self._on_close()

    def _once(self) -> Iterator[bytes]:
        if self._is_being_read or self.is_closed:
            state = "closed" if self.is_closed else "read already, in part or to its end"
            raise RequestError(f"The body cannot be read: the response was {state}.")
        self._is_being_read = True
        return self._blocks


class _Recorder(Session):
    """A session that shares the connections of another, and remembers its last response."""

    def __init__(self, session: Session, seen: list[APIResponse | StreamedResponse]) -> None:
        self.__dict__.update(session.sharing(session.config).__dict__)
        self._seen = seen

    def sharing(self, config: Config, **options: Any) -> Self:
        """Return a session with other settings that remembers its responses here too."""
        return type(self)(super().sharing(config, **options), self._seen)

    def send(self, request: Request) -> APIResponse:
        """Send a request, and remember the response."""
        response = super().send(request)
        if not (self._seen and isinstance(self._seen[0], StreamedResponse)):
            self._seen[:] = [response]  # what comes after a content is about the file
        return response

    def stream(self, request: Request) -> StreamedResponse:
        """Send a request, and remember the response."""
        response = super().stream(request)
        self._seen[:] = [response]
        return response

    def last_response(self, name: str) -> APIResponse | StreamedResponse:
        """Return the last response to a call.

        Raises:
            RequestError: There is none.
        """
        if not self._seen:
            raise RequestError(
                f"{name}() sent no request when it was called, so there is no raw response."
            )
        return self._seen[0]


def _find(calls: C, part: Any, name: str) -> C | Callable[..., Any]:
    """Return a call of a part by its name, or the calls of a part of it.

    Raises:
        AttributeError: There is none.
    """
    found = None if name.startswith("_") else getattr(part, name)
    if isinstance(found, Part):
        return type(calls)(found)
    if not callable(found) or not isinstance(part, Resource):
        what = type(part).__name__
        raise AttributeError(f"{what} has no call {name!r} with a raw response.")  # noqa: TRY004 - a name that is not there
    call: Callable[..., Any] = found
    return call


def _public_names(part: object) -> list[str]:
    names = {name for name in dir(part) if not name.startswith("_")}
    return sorted(names - {"with_raw_response", "with_streaming_response"})


def _over_recorder(part: Resource, name: str) -> tuple[_Recorder, Callable[..., Any]]:
    """Return a session that remembers responses, and a call of a part over it."""
    recorder = _Recorder(part._session, [])  # noqa: SLF001  # it is one of us
    return recorder, getattr(type(part)(recorder), name)


def _call(part: Resource, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RawResponse:
    recorder, made = _over_recorder(part, name)
    result = made(*args, **kwargs)
    response = recorder.last_response(name)
    if not isinstance(response, StreamedResponse):
        content = response.content
    elif isinstance(result, str):
        content = result.encode()
    else:
        content = bytes(result) if isinstance(result, bytes) else b""  # it is in a file
    # The transport reads the body past requests, which would take it for empty.
    response.http_response._content = content  # noqa: SLF001  # as tools that fake answers do
    return RawResponse(response.http_response, response.request_id, content=content, result=result)


@contextmanager
def _open(
    part: Resource, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[StreamingResponse]:
    in_blocks = part.STREAMED_CALLS.get(name)
    if in_blocks is None:
        raw = _call(part, name, args, kwargs)
        opened = StreamingResponse(
            raw.http_response,
            raw.request_id,
            blocks=iter([raw.content]),
            parse=lambda _: raw.parse(),
        )
    else:
        recorder, made = _over_recorder(part, in_blocks)
        blocks = made(*args, **kwargs)
        first = next(blocks, b"")  # the request is sent for it
        response = recorder.last_response(name)
        opened = StreamingResponse(
            response.http_response,
            response.request_id,
            blocks=_with_first(first, blocks),
            parse=bytes,
            on_close=blocks.close,
        )
    try:
        yield opened
    finally:
        opened.close()


def _with_first(first: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from blocks


def _cut(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        rest += block
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
