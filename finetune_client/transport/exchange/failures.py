"""What went wrong on the way, as an exception that holds facts and nothing of the request."""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3

from finetune_client.errors import APIConnectionError, APITimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from finetune_client.errors import APIError, Outcome
    from finetune_client.transport.connections.connection import Attempt
    from finetune_client.transport.retry import Retry

__all__ = ["NETWORK_ERRORS", "Failure", "chain_of", "network_failure", "scrub"]

NETWORK_ERRORS: Final[tuple[type[Exception], ...]] = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
)
"""Everything that requests, urllib3 and the standard library raise for a failed exchange."""

_NEVER_SENT: Final = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.ClosedPoolError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
)
_OF_A_PROXY: Final = (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
_REFUSED_BY_PROXY: Final = r"Tunnel connection failed: (\d{3})"  # `http.client`'s words
_TIMEOUTS: Final = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_INVALID_ADDRESS: Final = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """An attempt that failed.

    Attributes:
        error: What to raise if it was the last.
        retry: Which requests may be sent again.
        mixed_up: The response belongs to another request, so the connections are not to be used.
    """

    error: APIError
    retry: Retry = "no"
    mixed_up: bool = False


def network_failure(
    error: Exception,
    attempt: Attempt,
    host: str,
    *,
    handled: BaseException | None = None,
    **facts: Any,
) -> Failure:
    """Turn what a library raised into a failure.

    Args:
        error: What was raised.
        attempt: The attempt it was raised in.
        host: Whom it spoke to, for the message.
        handled: What the caller was handling before; it says nothing about this attempt.
        facts: ``method``, ``path`` and what else the exception carries.
    """
    chain = list(chain_of(error, handled))
    # A caller's session has connections of its own kind: there only the exceptions tell.
    sent = attempt.sent if attempt.used else not _holds(chain, _NEVER_SENT)
    outcome: Outcome = "ambiguous" if sent else "not_sent"
    if attempt.expired:
        message = f"The total timeout was over before {host} had answered in full."
        return Failure(APITimeoutError(message, outcome=outcome, **facts))
    if _holds(chain, _TIMEOUTS) and not _was_refused(chain):
        message = _timeout_message(attempt, host, sent=sent)
        failed: APIError = APITimeoutError(message, outcome=outcome, **facts)
        return Failure(failed, "if_idempotent" if sent else "yes")
    message = _lost_message(chain, attempt, host, sent=sent)
    failed = APIConnectionError(message, outcome=outcome, **facts)
    if sent:
        return Failure(failed, "if_idempotent")
    return Failure(failed, "no" if _is_permanent(chain) else "yes")


def scrub(error: BaseException, handled: BaseException | None = None) -> None:
    """Take the request, and the locals of every finished frame, out of an exception's chain.

    The key is in both: `http.client` has the headers as bytes in a local variable, which tools that
    show local variables would print. What the caller was handling before is his, and stays as it is.
    """
    for link in chain_of(error, handled):
        for name in ("request", "response", "pool", "conn"):
            held = getattr(link, "__dict__", {}).get(name)
            if held is not None:
                setattr(link, name, None)
        if link.__traceback__ is not None:
            traceback.clear_frames(link.__traceback__)


def _timeout_message(attempt: Attempt, host: str, *, sent: bool) -> str:
    """Name the limit; where there is none, it was the system that gave up."""
    if sent:
        silence = "too long" if attempt.read is None else f"{attempt.read:g} seconds"
        return f"{host} was silent for {silence}; the answer is not known."
    time = "in time" if attempt.connect is None else f"within {attempt.connect:g} seconds"
    through = f" through the proxy {attempt.proxy}" if attempt.proxy else ""
    return f"Could not connect to {host}{through} {time}; nothing was sent."


def _lost_message(chain: list[BaseException], attempt: Attempt, host: str, *, sent: bool) -> str:
    reason = _reason(chain)
    if sent:
        return f"The connection to {host} was lost before the answer was there: {reason}."
    through = ""
    if attempt.proxy and _holds(chain, _OF_A_PROXY):
        through = f" through the proxy {attempt.proxy}"
    return f"Could not connect to {host}{through}: {reason}. Nothing was sent."


def _reason(chain: list[BaseException]) -> str:
    """Say why in words that hold nothing of the request, a URL or a proxy's password."""
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"its TLS certificate was not accepted ({link.verify_message})"
        if isinstance(link, ssl.SSLError):
            return f"TLS failed ({getattr(link, 'reason', None) or type(link).__name__})"
        if isinstance(link, socket.gaierror):
            return "its name was not found"
    for link in chain:
        if isinstance(link, OSError) and link.errno:
            return os.strerror(link.errno)
    for link in chain:
        if found := re.search(_REFUSED_BY_PROXY, str(link)):
            return f"it answered with {found[1]}"
    if any(_lacks_socks(link) for link in chain):
        return (
            "the proxy is a SOCKS proxy, and the package for that is not installed "
            "(pip install 'requests[socks]')"
        )
    if _holds(chain, _INVALID_ADDRESS):
        return "the address, or that of a proxy, is not valid"
    innermost = next(link for link in reversed(chain) if isinstance(link, NETWORK_ERRORS))
    return type(innermost).__name__


def _lacks_socks(error: BaseException) -> bool:
    """Return whether PySocks is missing, which requests tells by its text alone."""
    return isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error)


def _was_refused(chain: list[BaseException]) -> bool:
    """urllib3 1.x counts a refused connection among the timeouts."""
    return any(
        isinstance(link, OSError) and link.errno not in {None, errno.ETIMEDOUT, errno.EAGAIN}
        for link in chain
        if not isinstance(link, requests.RequestException)
    )


def _is_permanent(chain: list[BaseException]) -> bool:
    """Return whether another attempt would end the same way: a certificate, a protocol, an address."""
    passing = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError)
    return _holds(chain, _INVALID_ADDRESS) or any(
        isinstance(link, ssl.SSLError | urllib3.exceptions.SSLError)
        and not isinstance(link, passing)
        and not _holds(chain, passing)
        for link in chain
    )


def _holds(chain: list[BaseException], kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(link, kinds) for link in chain)


def chain_of(error: BaseException, handled: BaseException | None = None) -> Iterator[BaseException]:
    """Yield the exception and all that it wraps, outermost first, each once, as far as ``handled``."""
    waiting, seen = [error], {id(handled)} - {id(error)}
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        inside = [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
        waiting.extend(item for item in inside if isinstance(item, BaseException))
