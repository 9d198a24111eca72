"""The one way onto the network: a `requests.Session`, the caller's or our own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import requests
from requests.structures import CaseInsensitiveDict

from finetune_client.errors import ConfigurationError
from finetune_client.transport.connections.connection import AttemptTimeout
from finetune_client.transport.connections.http_session import HTTPSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.request import Body
    from finetune_client.transport.secret import Secret

__all__ = ["BodyError", "Outgoing", "Sender", "SentBody"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes out, but for the credential.

    Attributes:
        method, url, headers: As sent.
        body: What is sent, if anything.
        credential: The header that carries the key, and its value.
        cross_origin: It goes to another origin than the client's own.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Body | None = field(repr=False)
    credential: tuple[str, Secret] | None
    cross_origin: bool = False


class Sender:
    """Sends requests over a session, each once.

    A caller's session is used as it is (its headers, adapters, cookies and proxies) and never
    closed; ``docs/reliability.md`` lists what then rests with the caller. With a session of our
    own, a child process after a fork opens connections of its own.
    """

    def __init__(
        self, session: requests.Session, *, on_close: Callable[[], object] | None = None
    ) -> None:
        """Set up; opens nothing.

        Raises:
            ConfigurationError: ``session`` is not a `requests.Session`.
        """
        if not isinstance(session, requests.Session):
            raise ConfigurationError(
                f"session must be a requests.Session, not {type(session).__name__}."
            )
        self._session = session
        self._on_close = on_close
        self._pid = os.getpid()

    def send(self, outgoing: Outgoing, attempt: Attempt) -> requests.Response:
        """Return the answer, headers read and body still to come; raises what requests raises."""
        session = self._session
        if not isinstance(session, HTTPSession):
            return _send_over_callers(session, outgoing, attempt)
        if self._pid != os.getpid():
            session.abandon_connections()
            self._pid = os.getpid()
        # `Session.prepare_request` would rewrite the URL and look at every header once more.
        prepared = requests.PreparedRequest()
        prepared.method = outgoing.method
        prepared.url = outgoing.url
        prepared.headers = CaseInsensitiveDict(outgoing.headers)
        prepared.body = cast(Any, outgoing.body)
        if outgoing.credential is not None:
            header, value = outgoing.credential
            prepared.headers[header] = value
        return session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=cast(Any, AttemptTimeout(attempt)),  # requests takes urllib3's, too
            verify=session.verify,
            cert=None if outgoing.cross_origin else session.cert,
            proxies=session.proxies_for(outgoing.url) if outgoing.cross_origin else session.proxies,
        )

    def with_own_connections(self) -> Sender:
        """Return a sender with no connection open yet, for one request; close it afterwards.

        Where connections are not ours to open, it is this one.
        """
        session = self._session
        if not isinstance(session, HTTPSession) or session.in_process:
            return self
        return Sender(session.copy())

    def drop_connections(self) -> None:
        """Close the connections that wait for the next request; the sender stays open."""
        if isinstance(self._session, HTTPSession):
            self._session.close()

    def close(self) -> None:
        """Close all connections."""
        self.drop_connections()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


class BodyError(Exception):
    """A body could not be given to its end; `error` is what it raised.

    It is of no kind that urllib3, requests or their users take for a broken connection.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class SentBody:
    """A body as it is sent; what it raises passes through the libraries below as `BodyError`."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.content_type = body.content_type

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:  # noqa: BLE001  # a progress function may raise anything
            raise BodyError(error) from None


def _send_over_callers(
    session: requests.Session, outgoing: Outgoing, attempt: Attempt
) -> requests.Response:
    """Send over a caller's session, with what it adds to requests; to another origin, nothing."""
    request = requests.Request(
        outgoing.method,
        outgoing.url,
        headers=dict(outgoing.headers),
        auth=_auth_for_callers(session, outgoing),
    )
    prepared = request.prepare() if outgoing.cross_origin else session.prepare_request(request)
    if outgoing.body is not None:
        prepared.body = cast(Any, outgoing.body)
        prepared.headers["Content-Length"] = str(len(outgoing.body))
    settings = session.merge_environment_settings(prepared.url or "", {}, True, None, None)
    try:
        return session.send(
            prepared,
            timeout=(attempt.allow(attempt.connect), attempt.allow(attempt.read)),
            allow_redirects=False,
            **settings,
        )
    except requests.RequestException:
        raise
    except ValueError as error:  # requests reads a redirect's Location, and lets this out
        reason = str(error)
    raise requests.exceptions.InvalidHeader(reason)


def _auth_for_callers(session: requests.Session, outgoing: Outgoing) -> Any:
    """Set our header, so that neither the session's own auth nor a .netrc wins over it."""
    if outgoing.credential is None:
        return (None if outgoing.cross_origin else session.auth) or _no_auth
    header, value = outgoing.credential

    def add(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.headers[header] = value
        return prepared

    return add


def _no_auth(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is; with None as its auth, requests would look into .netrc."""
    return prepared
