"""A request made ready: everything that is the same for each of its attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from finetune_client._version import __version__
from finetune_client.errors import ConfigurationError, RequestError
from finetune_client.transport.config import check_timeout
from finetune_client.transport.connections.sender import Outgoing
from finetune_client.transport.credentials import check_headers
from finetune_client.transport.exchange.json_body import encode_json
from finetune_client.transport.paths import encode_query, merge_query
from finetune_client.transport.request import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.clock import Clock
    from finetune_client.transport.config import Config
    from finetune_client.transport.credentials import Credential, Secret
    from finetune_client.transport.exchange.redirects import Target
    from finetune_client.transport.request import Body, Request, Timeout

__all__ = ["Call", "prepare"]

_USER_AGENT: Final = f"finetune-client/{__version__}"
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})
_FRESH: Final = {"Cache-Control": "no-cache, no-store"}
"""Keeps caches in sessions and proxies from answering: a wait would poll one answer for ever. Files do not change."""

_CROSS_ORIGIN_HEADERS: Final = frozenset(
    {"accept", "accept-encoding", "user-agent", "range", "if-range"}
)
"""What another origin is sent: nothing that says who asks."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A request with its URL, headers and body put together.

    Attributes:
        request: What was asked for.
        config: The session's settings.
        url: Where it goes first.
        headers: All but the credential.
        body: As sent.
        timeout: Seconds to connect, and of silence; None for no limit.
        deadline: When all must be over, on the monotonic clock.
        credential: Who asks.
        streamed: The response is handed over unread.
    """

    request: Request
    config: Config
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | Body | None = field(repr=False)
    timeout: tuple[float | None, float | None]
    deadline: float | None
    credential: Credential
    streamed: bool

    @property
    def host(self) -> str:
        """Whom it goes to, for messages."""
        return self.config.base_url.netloc

    @property
    def facts(self) -> dict[str, Any]:
        """What every exception about it carries."""
        return {"method": self.request.method, "path": self.request.path}

    def address(self, target: Target, secret: Secret | None) -> Outgoing:
        """Return it as it goes to a target.

        Another origin gets neither the credential nor anything that says who asks.
        """
        method = self.request.method
        if target.cross_origin:
            headers = {k: v for k, v in self.headers.items() if k.lower() in _CROSS_ORIGIN_HEADERS}
            return Outgoing(method, target.url, headers, None, None, cross_origin=True)
        if secret is None:
            return Outgoing(method, target.url, self.headers, self.body, None)
        credential = (self.credential.header, self.credential.header_value(secret))
        return Outgoing(method, target.url, self.headers, self.body, credential)


def prepare(request: Request, config: Config, clock: Clock, *, streamed: bool) -> Call:
    """Put a request together.

    Raises:
        RequestError: It cannot be sent as it stands.
    """
    if not request.path.startswith("/"):
        raise RequestError(f"The path must start with a slash, got {request.path!r:.100}.")
    url = config.base_url.url + request.path
    if query := merge_query(config.query, request.query):
        url = f"{url}?{encode_query(query)}"
    body: bytes | Body | None = None
    if request.json is not NO_JSON:
        body = encode_json(request.json)
    elif request.body is not None:
        body = request.body
    as_admin = request.admin and config.admin_credential.source is not None
    credential = config.admin_credential if as_admin else config.credential
    deadline = request.deadline
    if config.total_timeout is not None:
        latest = clock.monotonic() + config.total_timeout
        deadline = latest if deadline is None else min(latest, deadline)
    return Call(
        request=request,
        config=config,
        url=url,
        headers=_headers(request, config, credential, body, streamed=streamed),
        body=body,
        timeout=config.timeout if request.timeout is None else _timeout(request.timeout),
        deadline=deadline,
        credential=credential,
        streamed=streamed,
    )


def _headers(
    request: Request,
    config: Config,
    credential: Credential,
    body: bytes | Body | None,
    *,
    streamed: bool,
) -> dict[str, str]:
    headers = {
        "User-Agent": _USER_AGENT,
        "Accept": request.accept,
        "Accept-Encoding": "identity" if streamed else "gzip",
        **({} if streamed else _FRESH),
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
        headers.update(_request_headers(request, credential))
    return headers


def _request_headers(request: Request, credential: Credential) -> dict[str, str]:
    """Return the request's headers, which win over the client's, but never over its credential."""
    try:
        headers = check_headers(request.headers, "extra_headers")
    except ConfigurationError as error:
        reason = error.message
    else:
        if credential.source is None:
            return headers
        return {k: v for k, v in headers.items() if k.lower() != credential.header.lower()}
    raise RequestError(reason)


def _timeout(timeout: Timeout) -> tuple[float | None, float | None]:
    try:
        return check_timeout(timeout)
    except ConfigurationError as error:
        reason = error.message
    raise RequestError(reason)
