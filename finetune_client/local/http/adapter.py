"""A `requests` adapter that calls the app in this process: no socket, nothing to start."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import run_wsgi_app
from werkzeug.wsgi import FileWrapper

from finetune_client.errors import ConfigurationError
from finetune_client.local.http.access import IN_PROCESS_KEY
from finetune_client.local.http.errors import ConnectionDroppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from _typeshed.wsgi import WSGIApplication

__all__ = ["LocalAdapter"]

_BLOCK = 64 * 1024


class LocalAdapter(HTTPAdapter):
    """Answers a session's requests with a WSGI app, in the calling thread.

    Bodies are streamed both ways and never held whole. The app's handlers wait for nothing but a
    body and a model's answer; they cannot be interrupted, so ``timeout`` is ignored.

    Args:
        app: The app.
        why_unavailable: Returns why the app cannot be called, if it cannot. That does not pass, so
            it is no connection error, which a client would repeat and a wait would bear for minutes.
    """

    def __init__(self, app: WSGIApplication, why_unavailable: Callable[[], str | None]) -> None:
        super().__init__()
        self._app = app
        self._why_unavailable = why_unavailable

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Call the app with the request, and return its response.

        Raises:
            ConfigurationError: The server has been closed, or this is a fork of its process.
            requests.ConnectionError: The app has dropped the connection.
            Exception: Whatever the request's body raised while it was read.
        """
        reason = self._why_unavailable()
        if reason is not None:
            raise ConfigurationError(reason)
        body = _Blocks(_blocks(request.body))
        environ = _environ(request, io.BufferedReader(body, _BLOCK))
        try:
            answer, status, headers = run_wsgi_app(self._app, environ)
        except ConnectionDroppedError as error:
            raise requests.ConnectionError(str(error), request=request) from error
        if body.failure is not None:
            raise body.failure
        code, _space, phrase = status.partition(" ")
        raw = HTTPResponse(
            body=io.BufferedReader(_Blocks(answer), _BLOCK),
            headers=dict(headers.items()),
            status=int(code),
            reason=phrase,
            preload_content=False,
            decode_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


class _Blocks(io.RawIOBase):
    """An iterable of blocks, read as a file; `failure` is what the iterable raised."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        super().__init__()
        self._source = blocks
        self._blocks = iter(blocks)
        self._rest = memoryview(b"")
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = self._next()
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _next(self) -> bytes | None:
        try:
            return next(self._blocks, None)
        except BaseException as error:
            self.failure = error
            raise

    def close(self) -> None:
        if not self.closed and hasattr(self._source, "close"):
            self._source.close()
        super().close()


def _blocks(body: Any) -> Iterator[bytes]:
    if body is None:
        return iter(())
    if isinstance(body, str):
        return iter((body.encode(),))
    if isinstance(body, bytes | bytearray):
        return iter((bytes(body),))
    if hasattr(body, "read"):
        return iter(lambda: body.read(_BLOCK), b"")
    return iter(body)


def _environ(request: requests.PreparedRequest, body: io.BufferedReader) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    headers = {_text(name): _text(value) for name, value in request.headers.items()}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": body,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": lambda file, _size=0: FileWrapper(file, _BLOCK),
        IN_PROCESS_KEY: True,
    }
    return environ | _header_variables(headers)


def _header_variables(headers: Mapping[str, str]) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        variables[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        variables["wsgi.input_terminated"] = True
    return variables


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
