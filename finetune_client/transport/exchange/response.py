"""A response, read and judged: what it says, or what is wrong with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import (
    APIConnectionError,
    APIResponseError,
    IntegrityError,
    RedirectRefusedError,
)
from finetune_client.transport.credentials import without_key
from finetune_client.transport.exchange.error_body import error_class, read_error_body
from finetune_client.transport.exchange.failures import (
    NETWORK_ERRORS,
    Failure,
    network_failure,
    scrub,
)
from finetune_client.transport.exchange.json_body import UnreadableError, decode_json, excerpt
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
from finetune_client.transport.hooks import log_other_id
from finetune_client.transport.request import APIResponse
from finetune_client.transport.retry import judge_status, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response
    from typing_extensions import Self

    from finetune_client.errors import APIError
    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.credentials import Secret
    from finetune_client.transport.exchange.prepare import Call

__all__ = [
    "Received",
    "StreamedResponse",
    "read_response",
    "refusal",
    "refused_redirect",
    "request_id",
]

_LARGEST_RESPONSE: Final = 32 * 1024 * 1024
_LARGEST_ERROR: Final = 64 * 1024
_LONGEST_MESSAGE: Final = 500
_NO_CONTENT: Final = frozenset({204, 205})


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A response whose headers are there, its body still to come.

    Attributes:
        response: As requests gave it.
        call: What it answers.
        attempt: The attempt that it came in.
        secret: The key that was sent.
        handled: What the caller was handling before; it says nothing about this attempt.
    """

    response: Response
    call: Call
    attempt: Attempt
    secret: Secret | None
    handled: BaseException | None

    @property
    def facts(self) -> dict[str, Any]:
        """What every exception about it carries."""
        return {
            **self.call.facts,
            "status_code": self.response.status_code,
            "request_id": request_id(self.response.headers),
        }

    @property
    def request_line(self) -> str:
        """The request, for messages."""
        return f"{self.call.request.method} {excerpt(self.call.request.path, 120)}"


class StreamedResponse:
    """A successful response whose body is read block by block; a context manager that closes it.

    Attributes:
        status: The status.
        headers: Those of the response.
        request_id: The server's name for the request, if it gave one.
        is_framed: It is known where the body ends, so that what came to its end is whole.
    """

    def __init__(self, response: Response, attempt: Attempt, host: str, **facts: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.request_id = request_id(response.headers)
        self.is_framed = is_framed(response)
        self._response = response
        self._attempt = attempt
        self._host = host
        self._facts = {**facts, "status_code": self.status, "request_id": self.request_id}

    @property
    def http_response(self) -> Response:
        """The response as requests gave it."""
        return self._response

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the body as it comes, at most ``size`` bytes at a time.

        Raises:
            APITimeoutError: Nothing came within the read timeout, or the total timeout is over.
            APIConnectionError: The connection broke.
            IntegrityError: The body ended before its Content-Length.
            APIResponseError: It is not bytes.
        """
        blocks = raw_blocks(self._response, size)
        while True:
            block = self._next(blocks)
            if not isinstance(block, bytes):
                try:
                    raise block
                finally:
                    del block  # or the error would keep itself, and the connection, alive
            if not block:
                return
            yield block

    def close(self) -> None:
        """Close the connection, unless all was read: then it serves other requests already."""
        discard(self._response)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _next(self, blocks: Iterator[bytes]) -> bytes | APIError:
        """Return the next block, an empty one at the end, or what went wrong."""
        handled = sys.exc_info()[1]  # the caller's, which Python chains to what is raised here
        try:
            self._attempt.allow(1.0)
            return next(blocks, b"")
        except CutOffError as error:
            message = f"The answer of {self._host} is not whole: {error}."
            return IntegrityError(message, outcome="bad_answer", **self._facts)
        except EncodingError as error:
            message = f"The answer of {self._host} cannot be used: {error}."
            return APIResponseError(message, outcome="bad_answer", **self._facts)
        except NETWORK_ERRORS as error:
            scrub(error, handled)
            failure = network_failure(
                error, self._attempt, self._host, handled=handled, **self._facts
            )
            return failure.error


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's name for the request: OpenAI's header, else Azure's."""
    text = headers.get("x-request-id") or headers.get("apim-request-id")
    return (excerpt(text, 200) or None) if text else None


def read_response(received: Received) -> APIResponse | Failure:
    """Read a successful response."""
    response, call = received.response, received.call
    try:
        body = read_body(response, _LARGEST_RESPONSE)
    except TooLargeError:
        limit = _LARGEST_RESPONSE // 2**20
        return _unusable(received, f"it is larger than {limit} MiB", retry=False)
    except EncodingError as error:
        return _unusable(received, str(error))
    except CutOffError as error:
        message = f"The answer of {call.host} to {received.request_line} broke off: {error}."
        cut = APIConnectionError(message, outcome="bad_answer", **received.facts)
        return Failure(cut, "if_idempotent")
    except NETWORK_ERRORS as error:
        scrub(error, received.handled)
        lost = network_failure(
            error, received.attempt, call.host, handled=received.handled, **received.facts
        )
        lost.error.outcome = "bad_answer"
        return lost
    request, status = call.request, response.status_code
    data: Any = None
    if body or not (status in _NO_CONTENT or request.any_answer):
        try:
            data = decode_json(body)
        except UnreadableError as error:
            said = excerpt(
                without_key(body[:2000], received.secret).decode("utf-8", "replace"), 200
            )
            quoted = f"; it began {said!r}" if said else ""
            return _unusable(received, f"{error}{quoted}", body=said or None)
        if not (isinstance(data, dict | list) or request.any_answer):
            return _unusable(received, f"it is {_json_kind(data)}, not an object", body=data)
    expected = request.expect_id
    if expected is not None and isinstance(data, dict) and data.get("id") != expected:
        if call.config.provider.keeps_ids:
            reason = f"it is about {excerpt(str(data.get('id')), 100)!r} instead of {expected!r}"
            return replace(_unusable(received, reason), mixed_up=True)
        log_other_id(request)
    return APIResponse(
        data=data,
        content=body,
        status=status,
        request_id=request_id(response.headers),
        headers=response.headers,
        http_response=response,
    )


def refusal(received: Received, now: float) -> Failure:
    """Turn an error response into a failure; a body that breaks off never hides the status."""
    response, attempt = received.response, received.attempt
    if attempt.read is not None:
        attempt.end_within(attempt.read)
    body = without_key(read_some(response, _LARGEST_ERROR, NETWORK_ERRORS), received.secret)
    status, headers = response.status_code, response.headers
    said = read_error_body(body)
    retry_after = parse_retry_after(headers, now)
    outcome, retry = judge_status(
        status, headers, code=said["code"], kind=said["type"], retry_after=retry_after
    )
    text = said.pop("text") or f"The server answered {_status_text(status)} and said nothing more."
    facts = {**received.facts, **said, "outcome": outcome, "retry_after": retry_after}
    notes = [f"HTTP {status}", received.request_line]
    if facts["request_id"]:
        notes.append(f"request {facts['request_id']}")
    if retry_after:
        notes.append(f"retry after {retry_after:g} s")
    tail = f" ({', '.join(notes)})"
    searched = f"{text} {facts['code'] or ''}".lower()
    for fragment, hint in received.call.config.provider.hints:
        if fragment in searched:
            tail += f" {hint}"
    message = excerpt(text, max(100, _LONGEST_MESSAGE - len(tail))) + tail
    return Failure(error_class(status)(message, **facts), retry)


def refused_redirect(received: Received, reason: str) -> Failure:
    """Refuse a redirect; whoever it came from has not carried the request out."""
    message = (
        f"{received.call.host} answered {received.request_line} with a redirect "
        f"({received.response.status_code}), which was not followed: {reason}."
    )
    return Failure(RedirectRefusedError(message, outcome="refused", **received.facts))


def _unusable(received: Received, reason: str, *, retry: bool = True, body: Any = None) -> Failure:
    status = _status_text(received.response.status_code)
    message = (
        f"{received.call.host} answered {received.request_line} with {status}, but the answer "
        f"cannot be used: {reason}."
    )
    error = APIResponseError(message, outcome="bad_answer", body=body, **received.facts)
    return Failure(error, "if_idempotent" if retry else "no")


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _json_kind(data: Any) -> str:
    return (
        "null" if data is None else {str: "a string", bool: "a boolean"}.get(type(data), "a number")
    )
