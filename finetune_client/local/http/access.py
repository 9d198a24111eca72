"""Which requests are allowed in: those of programs on this machine that mean to call the server.

A web page in the user's browser can send requests to 127.0.0.1 too. It cannot choose the Host or
the Origin header, nor set an Authorization header without permission; so these are checked. The
server's own page is of the origin that it calls, the Host with its port, and of no other.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import flask

from finetune_client.local.http.api_keys import DEFAULT_PROJECT
from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.page_files import PAGE_FILES
from finetune_client.loopback import ANY_ADDRESS, is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from finetune_client.local.http.api_keys import ApiKeys

__all__ = ["IN_PROCESS_KEY", "IS_GONE_KEY", "check_access", "current_project"]

IN_PROCESS_KEY = "finetune_client.in_process"
"""The key of the WSGI environment of a request that this very process sends, without a socket.

No header can set it: the names of headers begin with ``HTTP_`` there."""

IS_GONE_KEY = "finetune_client.is_gone"
"""The key of what tells whether the client of a request on a port has gone, a function."""

_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def check_access(
    environ: Mapping[str, object], allowed_hosts: Collection[str], api_keys: ApiKeys
) -> str:
    """Refuse a request that a web page, or another machine, could have caused, or without a key.

    Args:
        environ: The request's WSGI environment, or what is known of it so far: the method, the path
            and the headers.
        allowed_hosts: Host names that are allowed beside those of this machine. An address in
            `ANY_ADDRESS` allows all addresses, but no names.
        api_keys: The keys that are taken.

    Returns:
        The project that the request belongs to.

    Raises:
        RequestRefusedError: 421 for a foreign Host, 403 for a foreign Origin, 401 without a key
            that is taken.
    """
    host = _HOST.fullmatch(str(environ.get("HTTP_HOST", "")))
    if host is None or not _is_allowed(host[1], allowed_hosts):
        raise RequestRefusedError(
            421,
            "The Host header must name this machine: 127.0.0.1, localhost or [::1], or a name that "
            "is allowed with --allowed-host NAME (allowed_hosts=) when the server is started.",
        )
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _is_own(str(origin), host[0]):
        raise RequestRefusedError(403, "Requests from web pages of other origins are refused.")
    if _is_for_the_page(environ):
        return DEFAULT_PROJECT
    key = _key(environ)
    if not key and environ.get(IN_PROCESS_KEY):
        return DEFAULT_PROJECT
    project = api_keys.project_of(key)
    if project is None:
        raise RequestRefusedError(401, _how_to(key, api_keys), code="invalid_api_key")
    return project


def current_project() -> str:
    """Return the project of the request that is being answered."""
    project: str = flask.g.project
    return project


def _is_allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    name = host.strip("[]").lower()
    if is_loopback(name) or name in allowed_hosts:
        return True
    # Whoever calls an address reaches what has it. A name may be made to lead here by its owner.
    return _is_address(name) and not ANY_ADDRESS.keys().isdisjoint(allowed_hosts)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_own(origin: str, host: str) -> bool:
    # Browsers write both in the same way. With https there is a proxy in front.
    return origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}


def _is_for_the_page(environ: Mapping[str, object]) -> bool:
    return environ["REQUEST_METHOD"] in {"GET", "HEAD"} and environ["PATH_INFO"] in PAGE_FILES


def _key(environ: Mapping[str, object]) -> str:
    """Return the key of a request, as OpenAI's clients send it or as Azure's do; "" without one."""
    header = _header(environ, "HTTP_AUTHORIZATION").strip()
    scheme, _, key = header.partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return header or _header(environ, "HTTP_API_KEY").strip()


def _header(environ: Mapping[str, object], name: str) -> str:
    # Not str(...): in process, a client's key may be a text that hides itself when it is shown.
    value = environ.get(name)
    return value if isinstance(value, str) else ""


def _how_to(key: str, api_keys: ApiKeys) -> str:
    if key:
        return "The API key is not one of those that this server takes."
    if api_keys:
        return "Send a key of this server in a header: 'Authorization: Bearer KEY'."
    return "Send an Authorization header, such as 'Authorization: Bearer local'. Any key will do."
