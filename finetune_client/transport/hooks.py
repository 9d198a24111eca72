"""What a program may see of the traffic: a hook for its own metrics, and the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from finetune_client.errors import APIError
    from finetune_client.transport.request import Request

__all__ = ["OnResponse", "ResponseInfo", "log_other_id", "log_retry", "report_response"]

_LOGGER = logging.getLogger("finetune_client")
"""Silent unless the program sets logging up. Of the traffic, method, path, status, request id,
milliseconds and the number of the attempt are all that is ever logged."""
_LOGGER.addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseInfo:
    """A response as ``on_response`` sees it, when its headers are there.

    Attributes:
        method: ``"GET"``.
        path: Below the base URL, without the query.
        status: The status.
        request_id: The server's name for the request, if it gave one.
        duration: Seconds from sending to the end of the headers.
        attempt: 1 for the first attempt.
        rate_limits: The ``x-ratelimit-*`` headers, as sent, names in lower case.
    """

    method: str
    path: str
    status: int
    request_id: str | None
    duration: float
    attempt: int
    rate_limits: Mapping[str, str]


OnResponse: TypeAlias = Callable[[ResponseInfo], object]


def report_response(
    request: Request,
    status: int,
    request_id: str | None,
    *,
    headers: Mapping[str, str],
    duration: float,
    number: int,
    hook: OnResponse | None,
) -> None:
    """Log a response and show it to the hook.

    A hook that fails must not lose the response to a request that cost money, so what it raises is
    logged as an error, with its traceback, and goes no further.
    """
    _LOGGER.debug(
        "%s %s -> %d (%s) in %.0f ms, attempt %d",
        request.method,
        request.path,
        status,
        request_id,
        duration * 1000,
        number,
    )
    if hook is None:
        return
    info = ResponseInfo(
        method=request.method,
        path=request.path,
        status=status,
        request_id=request_id,
        duration=duration,
        attempt=number,
        rate_limits={
            name.lower(): value
            for name, value in headers.items()
            if name.lower().startswith("x-ratelimit-")
        },
    )
    try:
        hook(info)
    except Exception:
        _LOGGER.exception("on_response failed; the answer is returned all the same")


def log_retry(request: Request, error: APIError, *, wait: float, attempts: int) -> None:
    """Log that a request will be sent again."""
    _LOGGER.info(
        "%s %s: attempt %d failed (%s, %s), retrying in %.1f s",
        request.method,
        request.path,
        attempts,
        error.outcome,
        error.status_code,
        wait,
    )


def log_other_id(request: Request) -> None:
    """Log that a response has another id than the one asked for, from a server that renames."""
    _LOGGER.warning("%s %s: the answer has another id", request.method, request.path)
