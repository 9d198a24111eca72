"""Which requests are allowed in: those of programs on this machine that mean to call the server.

A web page in the user's browser can send requests to 127.0.0.1 too. It cannot choose the Host or
the Origin header, nor set an Authorization header without permission; so these are checked. The
server's own page is of the origin that it calls, the Host with its port, and of no other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from finetune_client.local.http.errors import RequestRefusedError
from finetune_client.local.http.page_files import PAGE_FILES
from finetune_client.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["IN_PROCESS_KEY", "IS_GONE_KEY", "check_access"]

IN_PROCESS_KEY = "finetune_client.in_process"
"""The key of the WSGI environment of a request that this very process sends, without a socket.

No header can set it: the names of headers begin with ``HTTP_`` there."""

IS_GONE_KEY = "finetune_client.is_gone"
"""The key of what tells whether the client of a request on a port has gone, a function."""

_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def check_access(environ: Mapping[str, object], allowed_hosts: Collection[str]) -> None:
    """Refuse a request that a web page, or another machine, could have caused.

    Args:
        environ: The request's WSGI environment, or what is known of it so far: the method, the path
            and the headers.
        allowed_hosts: Host names that are allowed beside those of this machine.

    Raises:
        RequestRefusedError: 421 for a foreign Host, 403 for a foreign Origin, 401 without a
            credential.
    """
    host = _HOST.fullmatch(str(environ.get("HTTP_HOST", "")))
    if host is None or not _is_allowed(host[1], allowed_hosts):
        raise RequestRefusedError(
            421, "The Host header must name this machine: 127.0.0.1, localhost or [::1]."
        )
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _is_own(str(origin), host[0]):
        raise RequestRefusedError(403, "Requests from web pages of other origins are refused.")
    if _is_for_the_page(environ):
        return
    if not environ.get(IN_PROCESS_KEY) and not _has_credential(environ):
        raise RequestRefusedError(
            401,
            "Send an Authorization header, such as 'Authorization: Bearer local'. Any key will do.",
            code="invalid_api_key",
        )


def _is_allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    return is_loopback(host) or host.lower() in allowed_hosts


def _is_own(origin: str, host: str) -> bool:
    # Browsers write both in the same way. With https there is a proxy in front.
    return origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}


def _is_for_the_page(environ: Mapping[str, object]) -> bool:
    return environ["REQUEST_METHOD"] in {"GET", "HEAD"} and environ["PATH_INFO"] in PAGE_FILES


def _has_credential(environ: Mapping[str, object]) -> bool:
    return bool(environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_API_KEY"))
