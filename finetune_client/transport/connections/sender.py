"""How a request gets onto the network: over connections of our own, or a caller's session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies

from finetune_client.errors import ConfigurationError
from finetune_client.transport.connections.adapter import Adapter
from finetune_client.transport.connections.connection import AttemptTimeout
from finetune_client.transport.origin import split_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests.adapters import BaseAdapter

    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.request import Body
    from finetune_client.transport.secret import Secret

__all__ = ["BorrowedWire", "Outgoing", "OwnWire", "Verify", "Wire"]

Verify: TypeAlias = bool | str
Cert: TypeAlias = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes out, but for the credential.

    Attributes:
        method, url, headers: As sent.
        body: What is sent, if anything.
        credential: The header that carries the key, and its value.
        foreign: It goes to another origin than the client's own.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Body | None = field(repr=False)
    credential: tuple[str, Secret] | None
    foreign: bool = False


class Wire(Protocol):
    """What sends a request and gives the answer, headers read and body still to come."""

    def send(self, outgoing: Outgoing, attempt: Attempt) -> requests.Response:
        """Send, once; raises what requests raises."""

    def fresh(self) -> Wire:
        """A wire with no connection open yet, for one request; close it afterwards."""

    def drop(self) -> None:
        """Close the connections that wait for the next request, without closing the wire."""

    def close(self) -> None:
        """Close all connections."""


class OwnWire:
    """Connections of our own.

    The environment (proxies, certificate bundles) is read when the wire is made, and when it
    first meets another origin. After a fork, the child opens connections of its own.
    """

    def __init__(
        self,
        *,
        url: str,
        verify: Verify | None = None,
        cert: Cert | None = None,
        proxies: Mapping[str, str] | None = None,
        adapter: BaseAdapter | None = None,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """Set up; opens nothing.

        Args:
            url: The base URL.
            verify: Check certificates: yes, no, or against this bundle. None is yes, against the
                bundle that ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE`` names, if one does.
            cert: A client certificate: a file, or a file and its key's.
            proxies: By scheme; None takes those of the environment, but for loopback.
            adapter: Send over this instead of the network.
            on_close: Called when the wire is closed.

        Raises:
            ConfigurationError: A file of certificates is not there, or ``proxies`` is no mapping.
        """
        self._verify = _checked_verify(verify)
        self._cert = _checked_cert(cert)
        self._proxies = _checked_proxies(proxies)
        self._given = adapter
        self._on_close = on_close
        self._adapter: BaseAdapter = adapter or Adapter()
        self._pid = os.getpid()
        self._routes: dict[tuple[str, str, int], dict[str, str]] = {}
        self._home = self._route(url)

    def send(self, outgoing: Outgoing, attempt: Attempt) -> requests.Response:
        prepared = requests.PreparedRequest()
        prepared.method = outgoing.method
        prepared.url = outgoing.url
        prepared.headers = CaseInsensitiveDict(outgoing.headers)
        prepared.body = outgoing.body
        if outgoing.credential is not None:
            header, value = outgoing.credential
            prepared.headers[header] = value
        return self._current().send(
            prepared,
            stream=True,
            timeout=cast(Any, AttemptTimeout(attempt)),  # requests takes urllib3's, too
            verify=self._verify,
            cert=None if outgoing.foreign else self._cert,
            proxies=self._route(outgoing.url) if outgoing.foreign else self._home,
        )

    def fresh(self) -> Wire:
        copy = object.__new__(OwnWire)
        copy.__dict__.update(self.__dict__, _pid=os.getpid(), _on_close=None)
        if self._given is None:
            copy.__dict__.update(_adapter=Adapter())
        return copy

    def drop(self) -> None:
        if self._given is None:
            self._adapter.close()

    def close(self) -> None:
        self.drop()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def _current(self) -> BaseAdapter:
        if self._pid != os.getpid():
            self._adapter = self._given or Adapter()
            self._pid = os.getpid()
        return self._adapter

    def _route(self, url: str) -> dict[str, str]:
        if self._given is not None:
            return {}
        if self._proxies is not None:
            return self._proxies
        place = split_url(url)
        if place.is_loopback:
            return {}
        if place.origin not in self._routes:
            self._routes[place.origin] = get_environ_proxies(url, no_proxy=None)
        return self._routes[place.origin]


class BorrowedWire:
    """A caller's session: its headers, adapters, cookies and proxies are left as they are.

    It is never closed here. ``docs/reliability.md`` lists what then rests with the caller.
    """

    def __init__(self, session: requests.Session) -> None:
        if not isinstance(session, requests.Session):
            raise ConfigurationError(
                f"session must be a requests.Session, not {type(session).__name__}."
            )
        self._session = session

    def send(self, outgoing: Outgoing, attempt: Attempt) -> requests.Response:
        session = self._session
        request = requests.Request(
            outgoing.method, outgoing.url, headers=dict(outgoing.headers), auth=self._auth(outgoing)
        )
        prepared = request.prepare() if outgoing.foreign else session.prepare_request(request)
        if outgoing.body is not None:
            prepared.body = outgoing.body
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

    def fresh(self) -> BorrowedWire:
        return self

    def drop(self) -> None:
        return

    def close(self) -> None:
        return

    def _auth(self, outgoing: Outgoing) -> Any:
        """Set our header, so that neither the session's own auth nor a .netrc wins over it."""
        if outgoing.credential is None:
            return (None if outgoing.foreign else self._session.auth) or _unchanged
        header, value = outgoing.credential

        def add(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            prepared.headers[header] = value
            return prepared

        return add


def _unchanged(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _checked_proxies(proxies: Any) -> dict[str, str] | None:
    if proxies is None:
        return None
    if isinstance(proxies, Mapping) and all(isinstance(url, str) for url in proxies.values()):
        return dict(proxies)
    raise ConfigurationError("proxies must be a mapping of schemes to URLs.")


def _checked_verify(verify: Verify | None) -> Verify:
    if isinstance(verify, bool):
        return verify
    if verify is not None:
        return _existing(verify, "verify")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(variable):
            return _existing(path, f"The environment variable {variable}")
    return True


def _checked_cert(cert: Cert | None) -> Cert | None:
    if cert is None:
        return None
    if isinstance(cert, tuple):
        return _existing(cert[0], "cert"), _existing(cert[1], "cert")
    return _existing(cert, "cert")


def _existing(path: Any, name: str) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not os.path.exists(text):  # noqa: PTH110  # a bundle may be a folder
        raise ConfigurationError(f"{name} names a file that is not there: {path!r}.")
    return text
