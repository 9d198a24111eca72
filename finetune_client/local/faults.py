"""Faults on demand: what a network and a busy service do, for tests of programs that must bear it.

A fault is written ``KIND[=VALUE][xCOUNT][@PATH]``, several of them with commas: ``429=2x3`` answers
the next three requests with 429 and ``Retry-After: 2``; ``lost@/fine_tuning/jobs`` carries the next
request to a path with that text out and loses its answer.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Any

from finetune_client.local.http.errors import ConnectionDroppedError, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Fault", "Faults", "parse_faults"]

_HEADER = "HTTP_X_FINETUNE_FAULT"
_KINDS = {
    "reset": "the connection is dropped before the request is carried out",
    "lost": "the request is carried out, and the connection dropped before the answer",
    "cut": "the connection is dropped in the middle of the answer",
    "html": "a page of a proxy, 502, instead of the API's error",
    "delay": "the answer comes VALUE seconds later",
}
_GRAMMAR = re.compile(
    r"(?P<kind>[a-z]+|[45][0-9][0-9])(=(?P<value>[0-9]+(\.[0-9]+)?))?"
    r"(x(?P<count>[1-9][0-9]{0,5}))?(@(?P<path>[^,\s]+))?"
)
_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What goes wrong with the next requests.

    Attributes:
        kind: A status from 400 to 599 as text, or ``reset``, ``lost``, ``cut``, ``html`` or
            ``delay``.
        value: Of a status the seconds of its ``Retry-After``, of ``delay`` the seconds.
        count: How many requests.
        path: Only requests whose method and path, such as ``POST /v1/files``, contain this text.
    """

    kind: str
    value: float | None = None
    count: int = 1
    path: str = ""

    def __post_init__(self) -> None:
        if self.kind not in _KINDS and not _is_error_status(self.kind):
            kinds = ", ".join(_KINDS)
            raise ValueError(f"{self.kind!r} is not a status from 400 to 599, nor one of {kinds}.")
        if self.kind == "delay" and self.value is None:
            raise ValueError("delay needs its seconds, as in delay=2.5.")
        if self.value is not None and not _is_span(self.value):
            raise ValueError(f"The seconds must be a number from 0 on, got {self.value!r}.")
        if type(self.count) is not int or self.count < 1:
            raise ValueError(f"count must be a whole number from 1 on, got {self.count!r}.")
        if not isinstance(self.path, str):
            raise ValueError(f"path must be text, such as 'POST /v1/files', got {self.path!r}.")  # noqa: TRY004  all that a fault refuses is a ValueError


def _is_span(value: object) -> bool:
    return type(value) in {int, float} and 0 <= value < math.inf  # type: ignore[operator]  # a number


def _is_error_status(kind: str) -> bool:
    return kind.isascii() and kind.isdigit() and 400 <= int(kind) <= 599


def parse_faults(text: str) -> list[Fault]:
    """Read faults as they are written: ``KIND[=VALUE][xCOUNT][@PATH]``, separated by commas.

    Raises:
        ValueError: One of them is not written like that.
    """
    faults = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        match = _GRAMMAR.fullmatch(one)
        if match is None:
            message = (
                f"{one!r} is not a fault: write KIND[=VALUE][xCOUNT][@PATH], such as 429x3@/jobs."
            )
            raise ValueError(message)
        faults.append(
            Fault(
                kind=match["kind"],
                value=None if match["value"] is None else float(match["value"]),
                count=int(match["count"] or 1),
                path=match["path"] or "",
            )
        )
    return faults


class Faults:
    """A WSGI app in front of another, whose requests fail as told. Several threads may use it.

    A request with a header ``X-Finetune-Fault`` suffers the faults written there, in their order,
    and then the first of the queue that fits.

    Args:
        app: The app behind it.
        faults: The faults to begin with.
        sleep: Sleeps so many seconds, for ``delay``.
    """

    def __init__(
        self,
        app: WSGIApplication,
        faults: Iterable[Fault] = (),
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app = app
        self._sleep = sleep
        self._lock = threading.Lock()
        self._queue = deque(faults)

    def add(self, fault: Fault) -> None:
        """Let one more thing go wrong, after those that wait already."""
        with self._lock:
            self._queue.append(fault)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._queue.clear()

    def waiting(self) -> list[Fault]:
        """Return the faults that no request has met yet."""
        with self._lock:
            return list(self._queue)

    def _take(self, request: str) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._queue):
                if fault.path in request:
                    if fault.count > 1:
                        self._queue[index] = replace(fault, count=fault.count - 1)
                    else:
                        del self._queue[index]
                    return fault
        return None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or let it fail.

        Raises:
            ConnectionDroppedError: The connection is to be dropped.
        """
        try:
            faults = parse_faults(environ.get(_HEADER, ""))
        except ValueError as error:
            return _answer(RequestRefusedError(400, str(error)), (), start_response)
        queued = self._take(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        for fault in [*faults, *([queued] if queued else [])]:
            if fault.kind == "delay":
                self._sleep(fault.value or 0.0)
            else:
                return self._fail(fault, environ, start_response)
        return self._app(environ, start_response)

    def _fail(
        self, fault: Fault, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if fault.kind == "cut":
            return _cut(self._app(environ, start_response))
        if fault.kind == "lost":
            b"".join(_closing(self._app(environ, lambda *_: lambda _: None)))
        if fault.kind in {"reset", "lost"}:
            raise ConnectionDroppedError(f"The fault {fault.kind!r} was asked for.")
        if fault.kind == "html":
            start_response("502 Bad Gateway", [("Content-Type", "text/html")])
            return [_PAGE]
        wait = [] if fault.value is None else [("Retry-After", f"{fault.value:g}")]
        return _answer(_error_of(int(fault.kind)), wait, start_response)


def _error_of(status: int) -> RequestRefusedError:
    message = f"The fault {status} was asked for."
    if status == HTTPStatus.UNAUTHORIZED:
        return RequestRefusedError(status, message, code="invalid_api_key")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        limit = "rate_limit_exceeded"
        return RequestRefusedError(status, message, code=limit, type="requests")
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return RequestRefusedError(status, message, type=kind)


def _answer(
    error: RequestRefusedError, more: Iterable[tuple[str, str]], start_response: StartResponse
) -> Iterable[bytes]:
    body = json.dumps(error.body()).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *more]
    start_response(f"{error.status} {responses.get(error.status, 'Error')}", headers)
    return [body]


def _closing(answer: Any) -> Iterator[bytes]:
    try:
        yield from answer
    finally:
        if hasattr(answer, "close"):
            answer.close()


def _cut(answer: Iterable[bytes]) -> Iterator[bytes]:
    whole = b"".join(_closing(answer))
    yield whole[: len(whole) // 2]
    raise ConnectionDroppedError("The fault 'cut' was asked for.")
