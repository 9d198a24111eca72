"""The one way onto the network: a `requests.Session`, the caller's or our own."""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.sessions import SessionRedirectMixin
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies, select_proxy

from finetune_client.errors import ConfigurationError, FineTuneError
from finetune_client.transport.connections.connection import POOL_CLASSES, AttemptTimeout
from finetune_client.transport.origin import split_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests.adapters import BaseAdapter

    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.credentials import Secret
    from finetune_client.transport.request import Body

__all__ = ["BodyError", "HTTPSession", "Outgoing", "Sender", "SentBody"]

_Verify: TypeAlias = bool | str
_Cert: TypeAlias = str | tuple[str, str]

_log = logging.getLogger("finetune_client")

_POOL_SIZE: Final = 32
_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True, eq=False)
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
        # Not `Session` itself, in whose place requests-cache and others put a class of their own.
        if not isinstance(session, SessionRedirectMixin):
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
        prepared.body = cast(Any, _as_sent(outgoing.body))
        if outgoing.credential is not None:
            header, value = outgoing.credential
            prepared.headers[header] = value
        proxies: Any = session.proxies
        if outgoing.cross_origin:
            proxies = session.proxies_for(outgoing.url)
        attempt.proxy = _proxy_of(outgoing.url, proxies)
        return session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=cast(Any, AttemptTimeout(attempt)),  # requests takes urllib3's, too
            verify=session.verify,
            cert=None if outgoing.cross_origin else session.cert,
            proxies=proxies,
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
    """A body as one attempt sends it: a file to be read, or blocks to be iterated over.

    urllib3, recorders and signers read a body that has ``read``. A read may return less than was
    asked for, so that the blocks of the body are passed on without being copied.
    What the body raises passes through the libraries below as `BodyError`.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._position = 0
        self._blocks: Iterator[bytes] | None = None
        self._rest = b""

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._body
        except Exception as error:  # noqa: BLE001  # a progress function may raise anything
            raise BodyError(error) from None

    def read(self, size: int | None = -1) -> bytes:
        """Return at most ``size`` bytes, all that is left if it is negative; none at the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        if self._blocks is None:
            self._blocks = self._blocks_from(self._position)
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        block, self._rest = self._rest[:size], self._rest[size:]
        self._position += len(block)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, which is read from the beginning again; return it."""
        start = {os.SEEK_CUR: self._position, os.SEEK_END: len(self)}.get(whence, 0)
        self._position = max(0, start + offset)
        self._blocks, self._rest = None, b""
        return self._position

    def tell(self) -> int:
        """Return the place that is read from next."""
        return self._position

    def _blocks_from(self, position: int) -> Iterator[bytes]:
        if position >= len(self):
            return
        for block in self:
            if position < len(block):
                yield block[position:]
            position = max(0, position - len(block))

    def __eq__(self, other: object) -> bool:
        """Compare with bytes, as the matchers of `responses` do."""
        if not isinstance(other, bytes):
            return self is other
        return len(other) == len(self) and other == b"".join(self)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<a body of {len(self)} bytes>"


class HTTPSession(requests.Session):
    """A session that sends what it is given, once, and keeps nothing of the answers.

    It overrides neither ``send`` nor ``get_adapter``: tools that mock, record or trace requests
    replace those of `requests.Session`. `docs/decisions/transport.md` names the tools.
    """

    def __init__(
        self,
        *,
        url: str,
        verify: _Verify | None = None,
        cert: _Cert | None = None,
        proxies: Mapping[str, str | None] | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        """Set up; opens nothing.

        Args:
            url: The base URL.
            verify: Check certificates: yes, no, or against this bundle. None is yes, against the
                bundle that ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE`` names, if
                one does.
            cert: A client certificate: a file, or a file and its key's.
            proxies: By scheme, with None for no proxy; None alone takes those of the environment, but
                for loopback.
            adapter: Send over this instead of the network.

        Raises:
            ConfigurationError: A file of certificates is not there, or ``proxies`` is not a mapping.
        """
        super().__init__()
        # requests would look up .netrc, proxies and bundles for every request: more than half of
        # its time on loopback, and .netrc would replace the key.
        self.trust_env = False
        self.cookies = _NoCookies()
        self.verify = _check_verify(verify)
        self.cert = _check_cert(cert)
        self._given_proxies = _check_proxies(proxies)
        self._environ_proxies: dict[tuple[str, str, int], dict[str, str]] = {}
        self.in_process = adapter is not None
        self._mount(adapter or _Adapter())
        self.proxies = self.proxies_for(url)

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        """Return None, so that requests does not read a redirect's body.

        It reads it without a bound, even when it is told not to follow: 0.5 MB of gzip took 1 GiB.
        """
        return

    def proxies_for(self, url: str) -> dict[str, str]:
        """Return the proxies on the way to an origin; the environment is asked once for each."""
        if self.in_process:
            return {}
        if self._given_proxies is not None:
            return self._given_proxies
        target = split_url(url)
        if target.is_loopback:
            return {}
        if target.origin not in self._environ_proxies:
            self._environ_proxies[target.origin] = get_environ_proxies(url, no_proxy=None)
        return self._environ_proxies[target.origin]

    def copy(self) -> HTTPSession:
        """Return a session with the same settings and no connection open."""
        copy = HTTPSession.__new__(HTTPSession)
        copy.__dict__.update(self.__dict__)
        copy._mount(_Adapter())  # noqa: SLF001  # it is one of us
        return copy

    def abandon_connections(self) -> None:
        """Begin with none open; those there are stay as they are, for they are another process's."""
        if not self.in_process:
            self._mount(_Adapter())

    def close(self) -> None:
        """Close the connections; an adapter that was given is left to its owner."""
        if not self.in_process:
            super().close()

    def _mount(self, adapter: BaseAdapter) -> None:
        # In one step, and not by `mount`, which moves entries while other threads may look.
        self.adapters = OrderedDict({"https://": adapter, "http://": adapter})


class _NoCookies(RequestsCookieJar):
    """A jar that takes nothing.

    A policy that refuses every cookie would do, but the jar's lock is taken before it is asked: a
    fork in that moment, in another thread, leaves it held in the child for ever.
    """

    def extract_cookies(self, response: object, request: object) -> None:
        pass


class _Adapter(HTTPAdapter):
    """An adapter over our own connections.

    It does not override ``send``, so that test tools which replace `HTTPAdapter.send` work.
    """

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # its pools connect in a way of their own
            manager.pool_classes_by_scheme = POOL_CLASSES
        return manager

    def close(self) -> None:
        """Close the connections at once.

        urllib3 2 closes a pool's when nothing holds the pool any more, and an exception that
        somebody keeps may hold it.
        """
        managers = [self.poolmanager, *self.proxy_manager.values()]
        pools = [manager.pools.get(key) for manager in managers for key in manager.pools.keys()]  # noqa: SIM118  # it cannot be iterated over
        super().close()
        for pool in pools:
            if pool is not None:
                pool.close()


def _send_over_callers(
    session: requests.Session, outgoing: Outgoing, attempt: Attempt
) -> requests.Response:
    """Send over a caller's session, with what it adds to requests; to another origin, nothing."""
    body: Any = _as_sent(outgoing.body)
    request = requests.Request(
        outgoing.method,
        outgoing.url,
        headers=dict(outgoing.headers),
        data=body,
        auth=_auth_for_callers(session, outgoing),
    )
    prepared = request.prepare() if outgoing.cross_origin else session.prepare_request(request)
    if isinstance(prepared.body, SentBody):
        prepared.body.seek(0)  # an auth that signs the body may have read it
    settings = session.merge_environment_settings(prepared.url or "", {}, True, None, None)
    attempt.proxy = _proxy_of(outgoing.url, settings["proxies"])
    try:
        return session.send(
            prepared,
            timeout=(attempt.allow(attempt.connect), attempt.allow(attempt.read)),
            allow_redirects=False,
            **settings,
        )
    # The adapter of an embedded server raises ours.
    except (requests.RequestException, FineTuneError):
        raise
    except ValueError as error:  # requests reads a redirect's Location, and lets this out
        reason = str(error)
    raise requests.exceptions.InvalidHeader(reason)


def _proxy_of(url: str, proxies: dict[str, str]) -> str | None:
    """Return the host and port of the proxy on the way to a URL, for messages."""
    if not proxies:
        return None
    try:
        parts = urlsplit(select_proxy(url, proxies) or "")
        port = parts.port
    except ValueError:  # requests will say what is wrong with it
        return None
    shown = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return shown if port is None else f"{shown}:{port}"


def _as_sent(body: bytes | Body | None) -> bytes | SentBody | None:
    return body if body is None or isinstance(body, bytes) else SentBody(body)


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


def _check_proxies(proxies: Any) -> dict[str, str] | None:
    if proxies is None:
        return None
    if isinstance(proxies, Mapping):
        found = {scheme: "" if url is None else url for scheme, url in proxies.items()}
        if all(isinstance(url, str) for url in found.values()):
            return found
    raise ConfigurationError("proxies must be a mapping of schemes to URLs.")


def _check_verify(verify: _Verify | None) -> _Verify:
    if isinstance(verify, bool):
        return verify
    if verify is not None:
        return _existing_path(verify, "verify")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(variable):
            return _existing_path(path, f"The environment variable {variable}")
    if path := os.environ.get("SSL_CERT_FILE"):
        if os.path.isfile(path):  # noqa: PTH113  # as the others here
            return path
        # Nix, for one, sets it to a file that is never there, where no network is meant to be.
        _log.warning("SSL_CERT_FILE names %r, which is not a file: it is not used", path)
    return True


def _check_cert(cert: _Cert | None) -> _Cert | None:
    if cert is None:
        return None
    if isinstance(cert, tuple):
        return _existing_path(cert[0], "cert"), _existing_path(cert[1], "cert")
    return _existing_path(cert, "cert")


def _existing_path(path: Any, name: str) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not os.path.exists(text):  # noqa: PTH110  # a bundle may be a folder
        raise ConfigurationError(f"{name} names a file that is not there: {path!r}.")
    return text
