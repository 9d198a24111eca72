"""A request and its response, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from requests import Response

__all__ = ["NO_JSON", "APIResponse", "Body", "Request", "Timeout"]

Timeout = float | tuple[float | None, float | None]
"""Seconds: one number for both, or ``(connect, read)``, where None is no limit."""

NO_JSON: Final[Any] = object()
"""The request has no JSON body (`None` would be the body ``null``)."""


class Body(Protocol):
    """A body that is not JSON. Each iteration starts afresh, so that it can be sent again."""

    content_type: str

    def __len__(self) -> int:
        """Return how many bytes there are; sent as Content-Length."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in blocks of at most 64 KiB."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Request:
    """A request to the API.

    Attributes:
        method: ``"GET"``, ``"POST"`` or ``"DELETE"``.
        path: Below the base URL, with a leading slash, each segment made by `path_segment()`.
        query: Pairs in the order they are sent; build them with `query_pairs()`.
        json: The JSON body, plain data; `NO_JSON` for none.
        body: A streamed body instead of JSON.
        headers: What is sent beside the client's own; wins over them, except the credential.
        timeout: Overrides the client's for this request; None does not.
        idempotent: It may be carried out twice.
        expect_id: The ``id`` that the response must have.
        fresh_connection: Send over a connection of its own, so that no stale one can swallow it.
        accept: The ``Accept`` header.
        admin: Use the admin key where the client has one.
        deadline: When the response must be there whole, as `Session.deadline` gave it: for a request
            that is part of a longer call.
        any_answer: The response may be empty or any JSON, not only an object or an array.
    """

    method: str
    path: str
    query: Iterable[tuple[str, str]] = ()
    json: Any = NO_JSON
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: Timeout | None = None
    idempotent: bool = True
    expect_id: str | None = None
    fresh_connection: bool = False
    accept: str = "application/json"
    admin: bool = False
    deadline: float | None = None
    any_answer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class APIResponse:
    """A successful response.

    Attributes:
        data: Its JSON, plain (`None` for an empty 204).
        content: Its body, decompressed.
        status: Its status.
        request_id: The server's name for the request, if it gave one.
        headers: As sent.
        http_response: As requests gave it; its body is in `content` alone.
    """

    data: Any
    content: bytes
    status: int
    request_id: str | None
    headers: Mapping[str, str]
    http_response: Response
