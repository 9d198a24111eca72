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

__all__ = ["MOST_HOPS", "REDIRECTS", "Hop", "RefusedHop", "next_hop"]

MOST_HOPS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_KEPT: Final = "%/:?#[]@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Hop:
    """Where to go next. A `foreign` one is another origin: it gets no credential."""

    url: str
    foreign: bool = False


class RefusedHop(Exception):  # noqa: N818  # it is caught by whoever asks, and never shown
    """The redirect is not followed; says why."""


def next_hop(
    number: int,
    method: str,
    headers: Mapping[str, str],
    *,
    at: Hop,
    base: BaseURL,
    abroad: bool,
    allow_http: bool,
) -> Hop:
    """Decide about a redirect.

    Args:
        number: 1 for the first redirect.
        method: Only a GET is ever redirected.
        headers: Those of the redirect.
        at: Where it came from.
        base: The client's own server.
        abroad: Another origin is allowed (the content of files, which may lie elsewhere).
        allow_http: Plain http to another machine is allowed.

    Raises:
        RefusedHop: It is not to be followed.
    """
    target = _target(at.url, headers.get("Location"))
    place = f"{target.host[:200]}:{target.port}"
    if method != "GET":
        raise RefusedHop(f"a {method} is never sent on, here to {place}")
    if number > MOST_HOPS:
        raise RefusedHop(f"it is one more than {MOST_HOPS} in a row, here to {place}")
    scheme = split_url(at.url).scheme
    if target.scheme != scheme:
        raise RefusedHop(f"it leads from {scheme} to {target.scheme}, at {place}")
    if target.origin == base.origin:
        return Hop(target.url, foreign=at.foreign)
    if not abroad:
        raise RefusedHop(f"it leads to another origin, {place}")
    if target.scheme == "http" and not (target.is_loopback or allow_http):
        raise RefusedHop(f"it leads over plain http to {place}")
    return Hop(target.url, foreign=True)


def _target(url: str, location: str | None) -> BaseURL:
    if not location:
        raise RefusedHop("it does not say where to")
    if _UNFIT.search(location):
        raise RefusedHop("its Location is not a URL")
    try:
        joined = urljoin(url, quote(location.strip(), safe=_KEPT))
        return split_url(urldefrag(joined).url)
    except (ValueError, ConfigurationError):
        pass
    raise RefusedHop("its Location is not an http(s) URL without a user name")
