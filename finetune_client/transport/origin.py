"""Base URLs: whom a client speaks to, and what is safe to say to whom."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from finetune_client.errors import ConfigurationError
from finetune_client.loopback import is_loopback

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["BaseURL", "parse_base_url", "split_url"]

_PORTS: Final = {"http": 80, "https": 443}
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
            *("169.254.0.0/16", "fe80::/10"),  # link-local: RFC 3927, RFC 4291
            "fc00::/7",  # unique local: RFC 4193
            *("0.0.0.0/32", "::/128"),  # what servers print that listen everywhere: this machine
        ),
    )
)
_PATH: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


@dataclass(frozen=True, slots=True)
class BaseURL:
    """A server, and the path under which its API lies.

    Attributes:
        url: Without a slash at the end.
        scheme, host, port: Its origin; the host is in ASCII and lower case.
    """

    url: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for a credential to be sent."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        """Host and port as in the URL: without the port where it is the scheme's own."""
        return urlsplit(self.url).netloc

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)

    @property
    def is_private(self) -> bool:
        """Whether its host can only be on a network of one's own.

        That is a name without a dot (a container, a machine of the office), one in ``.local`` or
        ``.internal``, or a private address: RFC 1918, link-local, unique local, or
        the unspecified one.
        """
        host = self.host.rstrip(".")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return _is_private_name(host)
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in _PRIVATE)


def parse_base_url(text: object, *, allow_http: bool = False, name: str = "base_url") -> BaseURL:
    """Check a base URL; with or without a path, with or without a slash at the end.

    Raises:
        ConfigurationError: It is not such a URL, or plain http to another machine that is not on a
            network of one's own.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{name} must be text, not {type(text).__name__}.")
    parts = _split(text.strip(), name)
    if parts.query or parts.fragment or text.strip().endswith(("?", "#")):
        raise ConfigurationError(
            f"{name} must not have a query or a fragment; give query= to the client instead."
        )
    base = _base(parts, name)
    if base.scheme == "http" and not (base.is_loopback or base.is_private or allow_http):
        raise ConfigurationError(
            f"{name} is plain http to {base.host}, which would show the key to the network. "
            "Use https, or pass allow_http=True (--allow-http) if that network is trusted."
        )
    return base


def split_url(url: str) -> BaseURL:
    """Split an absolute URL that a server gave; `url` is kept as it is.

    Raises:
        ConfigurationError: It is not an http(s) URL, or has a user name in it.
    """
    base = _base(_split(url, "The URL"), "The URL")
    return BaseURL(url, *base.origin)


def _is_private_name(host: str) -> bool:
    if "." in host:
        return host.endswith((".local", ".internal"))
    try:
        socket.inet_aton(host)  # "134744072" and "0x8080808" are 8.8.8.8 to the system
    except OSError:
        return True
    return False


def _split(text: str, name: str) -> SplitResult:
    if _NOT_IN_URL.search(text):
        raise ConfigurationError(f"{name} must not have spaces or control characters in it.")
    parts = None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = 0
    if parts is None or parts.scheme.lower() not in _PORTS or not parts.hostname or port == 0:
        raise ConfigurationError(
            f"{name} must be a URL such as 'https://api.example.com/v1', with http or https, "
            "a host and, if need be, a port from 1 to 65535."
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{name} must not have a user name or password in it; give the key as api_key=."
        )
    return parts


def _base(parts: SplitResult, name: str) -> BaseURL:
    scheme = parts.scheme.lower()
    host = _host(parts.hostname or "", name)
    port = parts.port or _PORTS[scheme]
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path) or {".", ".."} & set(unquote(path).split("/")):
        raise ConfigurationError(
            f"{name} has a path that is not plain: {path[:100]!r}; percent-encode it."
        )
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    return BaseURL(f"{scheme}://{netloc}{path}", scheme, host, port)


def _host(host: str, name: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            host = ""
    try:
        ascii_host = host.encode("idna").decode().lower()
    except UnicodeError:
        ascii_host = ""
    if not _HOST.fullmatch(ascii_host):
        raise ConfigurationError(f"{name} has a host name that is not valid.")
    return ascii_host
