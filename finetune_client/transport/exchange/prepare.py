"""A request made ready: everything that is the same for each of its tries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from finetune_client._version import __version__
from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.transport.config import checked_timeout, merged_query
from finetune_client.transport.connections.connection import Attempt
from finetune_client.transport.connections.sender import Outgoing, SentBody
from finetune_client.transport.credentials import checked_headers
from finetune_client.transport.exchange.json_body import encoded_json
from finetune_client.transport.exchange.redirects import Hop
from finetune_client.transport.paths import encoded_query
from finetune_client.transport.request import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.clock import Clock
    from finetune_client.transport.config import Config
    from finetune_client.transport.credentials import Credential
    from finetune_client.transport.request import Body, Request, Timeout
    from finetune_client.transport.secret import Secret

__all__ = ["Call", "prepared"]

_USER_AGENT: Final = f"finetune-client/{__version__}"
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})
_FOREIGN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "user-agent", "range", "if-range"}
)
"""What another origin is told: nothing that says who asks."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its URL, headers and body put together.

    Attributes:
        request: What was asked for.
        config: The session's settings.
        start: Where it goes first.
        headers: All but the credential.
        body: As sent.
        limits: Seconds to connect, and of silence; None for no limit.
        deadline: When all must be over, on the monotonic clock.
        credential: Who asks.
        streamed: The answer is handed over unread.
    """

    request: Request
    config: Config
    start: Hop
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | Body | None = field(repr=False)
    limits: tuple[float | None, float | None]
    deadline: float | None
    credential: Credential
    streamed: bool

    @property
    def host(self) -> str:
        """Whom it goes to, for messages."""
        return self.config.base_url.place

    @property
    def facts(self) -> dict[str, Any]:
        """What every exception about it carries."""
        return {"method": self.request.method, "path": self.request.path}

    def attempt(self, monotonic: Callable[[], float]) -> Attempt:
        """Begin a try."""
        connect, read = self.limits
        return Attempt(connect=connect, read=read, deadline=self.deadline, monotonic=monotonic)

    def outgoing(self, hop: Hop, secret: Secret | None) -> Outgoing:
        """Address it; another origin gets neither the credential nor anything that says who asks."""
        method = self.request.method
        if hop.foreign:
            headers = {k: v for k, v in self.headers.items() if k.lower() in _FOREIGN_HEADERS}
            return Outgoing(method, hop.url, headers, None, None, cross_origin=True)
        if secret is None:
            return Outgoing(method, hop.url, self.headers, self.body, None)
        credential = (self.credential.header, self.credential.header_value(secret))
        return Outgoing(method, hop.url, self.headers, self.body, credential)


def prepared(request: Request, config: Config, clock: Clock, *, streamed: bool) -> Call:
    """Put a request together.

    Raises:
        RequestError: It cannot be sent so.
    """
    if not request.path.startswith("/"):
        raise RequestError(f"The path must start with a slash, got {request.path!r:.100}.")
    body = _body(request)
    return Call(
        request=request,
        config=config,
        start=Hop(_url(request, config)),
        headers=_headers(request, config, body, streamed=streamed),
        body=body,
        limits=config.timeout if request.timeout is None else _limits(request.timeout),
        deadline=_deadline(request, config, clock),
        credential=_credential(request, config),
        streamed=streamed,
    )


def _body(request: Request) -> bytes | Body | None:
    if request.json is not NO_JSON:
        return encoded_json(request.json)
    return None if request.body is None else SentBody(request.body)


def _deadline(request: Request, config: Config, clock: Clock) -> float | None:
    """The sooner of the request's own deadline and what the total timeout leaves from now."""
    if config.total_timeout is None:
        return request.deadline
    mine = clock.monotonic() + config.total_timeout
    return mine if request.deadline is None else min(mine, request.deadline)


def _url(request: Request, config: Config) -> str:
    url = config.base_url.url + request.path
    query = merged_query(config.query, list(request.query))
    return f"{url}?{encoded_query(query)}" if query else url


def _headers(
    request: Request, config: Config, body: bytes | Body | None, *, streamed: bool
) -> dict[str, str]:
    headers = {
        "User-Agent": _USER_AGENT,
        "Accept": request.accept,
        "Accept-Encoding": "identity" if streamed else "gzip",
        **config.headers,
    }
    if body is not None:
        headers["Content-Type"] = (
            "application/json" if isinstance(body, bytes) else body.content_type
        )
        headers["Content-Length"] = str(len(body))
    elif request.method not in _BODILESS:
        headers["Content-Length"] = "0"
    if request.headers:
        headers.update(_own_headers(request, _credential(request, config)))
    return headers


def _own_headers(request: Request, credential: Credential) -> dict[str, str]:
    """The request's own headers, which win over the client's, but never over its credential."""
    try:
        headers = checked_headers(request.headers, "extra_headers")
    except ConfigurationError as error:
        reason = error.message
    else:
        if credential.source is None:
            return headers
        return {k: v for k, v in headers.items() if k.lower() != credential.header.lower()}
    raise RequestError(reason)


def _limits(timeout: Timeout) -> tuple[float | None, float | None]:
    try:
        return checked_timeout(timeout)
    except ConfigurationError as error:
        reason = error.message
    raise RequestError(reason)


def _credential(request: Request, config: Config) -> Credential:
    if request.admin and config.admin_credential.source is not None:
        return config.admin_credential
    return config.credential
