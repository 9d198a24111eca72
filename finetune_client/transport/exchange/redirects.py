"""Where a redirect may lead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urldefrag, urljoin

from finetune_client.errors import ConfigurationError
from finetune_client.transport.origin import split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.transport.origin import BaseURL

__all__ = ["REDIRECTS", "RedirectNotFollowed", "Target", "redirect_target"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_MAX_REDIRECTS: Final = 5
_NOT_IN_URL: Final = r"[\x00-\x1f\x7f\\]"
_SAFE: Final = "%/:?#[]@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send a request. One that is `cross_origin` gets no credential."""

    url: str
    cross_origin: bool = False


class RedirectNotFollowed(Exception):  # noqa: N818  # it is caught by whoever asks, and never shown
    """The redirect is not followed; says why."""


def redirect_target(
    number: int,
    method: str,
    headers: Mapping[str, str],
    *,
    current: Target,
    base: BaseURL,
    allow_cross_origin: bool,
    allow_http: bool,
) -> Target:
    """Return where a redirect leads.

    Args:
        number: 1 for the first redirect.
        method: Only a GET is ever redirected.
        headers: Those of the redirect.
        current: Where it came from.
        base: The client's own server.
        allow_cross_origin: Another origin is allowed (the content of files may lie elsewhere).
        allow_http: Plain http to another machine is allowed.

    Raises:
        RedirectNotFollowed: It is not to be followed.
    """
    target = _parse_location(current.url, headers.get("Location"))
    where = f"{target.host[:200]}:{target.port}"
    if method != "GET":
        raise RedirectNotFollowed(f"a {method} is never redirected, here to {where}")
    if number > _MAX_REDIRECTS:
        raise RedirectNotFollowed(f"it is one more than {_MAX_REDIRECTS} in a row, here to {where}")
    scheme = split_url(current.url).scheme
    if target.scheme != scheme:
        raise RedirectNotFollowed(f"it leads from {scheme} to {target.scheme}, at {where}")
    if target.origin == base.origin:
        return Target(target.url, cross_origin=current.cross_origin)
    if not allow_cross_origin:
        raise RedirectNotFollowed(f"it leads to another origin, {where}")
    if target.scheme == "http" and not (target.is_loopback or allow_http):
        raise RedirectNotFollowed(f"it leads over plain http to {where}")
    return Target(target.url, cross_origin=True)


def _parse_location(url: str, location: str | None) -> BaseURL:
    if not location:
        raise RedirectNotFollowed("it does not say where to")
    if re.search(_NOT_IN_URL, location):
        raise RedirectNotFollowed("its Location is not a URL")
    try:
        joined = urljoin(url, quote(location.strip(), safe=_SAFE))
        return split_url(urldefrag(joined).url)
    except (ValueError, ConfigurationError):
        pass
    raise RedirectNotFollowed("its Location is not an http(s) URL without a user name")
