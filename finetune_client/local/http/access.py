"""Who may talk to the server: only programs on this machine that mean to.

A web page in the user's browser can send requests to 127.0.0.1 too. It cannot set a Host or an
Origin of its own choice, nor an Authorization header without being allowed to; so these are what
is looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from finetune_client.local.http.errors import WireError
from finetune_client.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["IN_PROCESS", "admit"]

IN_PROCESS = "finetune_client.in_process"
"""The key of the WSGI environment that says: no socket, the caller is this very process."""

_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def admit(environ: Mapping[str, object], allowed: Collection[str] = ()) -> None:
    """Refuse a request that a web page, or a stranger, could have caused.

    Args:
        environ: The request's WSGI environment.
        allowed: Host names that are taken beside those of this machine.

    Raises:
        WireError: 421 for a foreign Host, 403 for a foreign Origin, 401 without a credential.
    """
    host = _HOST.fullmatch(str(environ.get("HTTP_HOST", "")))
    if host is None or not _known(host[1], allowed):
        raise WireError(
            421, "The Host header must name this machine: 127.0.0.1, localhost or [::1]."
        )
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _known(_host_of(str(origin)), allowed):
        raise WireError(403, "Requests from web pages of other origins are refused.")
    if not environ.get(IN_PROCESS) and not _has_credential(environ):
        raise WireError(
            401,
            "Send an Authorization header, such as 'Authorization: Bearer local'. Any key will do.",
            code="invalid_api_key",
        )


def _known(host: str, allowed: Collection[str]) -> bool:
    return is_loopback(host) or host.lower() in allowed


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _has_credential(environ: Mapping[str, object]) -> bool:
    return bool(environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_API_KEY"))
