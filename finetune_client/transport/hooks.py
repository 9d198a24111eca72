"""What a program may see of the traffic: a hook for its own metrics, and the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from finetune_client.errors import APIError
    from finetune_client.transport.request import Request

__all__ = ["LOGGER", "OnResponse", "ResponseInfo", "log_retry", "report"]

LOGGER = logging.getLogger("finetune_client")
"""Silent unless the program sets logging up. Method, path, status, request id, milliseconds and
the number of the try are all that is ever logged."""
LOGGER.addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseInfo:
    """An answer as ``on_response`` sees it, when its headers are there.

    Attributes:
        method: ``"GET"``.
        path: Below the base URL, without the query.
        status: The status of the answer.
        request_id: The server's name for the request, if it gave one.
        duration: Seconds from sending to the end of the headers.
        attempt: 1 for the first try.
        rate_limits: The ``x-ratelimit-*`` headers, as sent, names in lower case.
    """

    method: str
    path: str
    status: int
    request_id: str | None
    duration: float
    attempt: int
    rate_limits: Mapping[str, str]


OnResponse: TypeAlias = "Callable[[ResponseInfo], object]"


def report(info: ResponseInfo, hook: OnResponse | None) -> None:
    """Log an answer and show it to the hook.

    A hook that fails must not lose the answer to a request that cost money, so what it raises is
    logged as an error, with its traceback, and goes no further.
    """
    LOGGER.debug(
        "%s %s -> %d (%s) in %.0f ms, try %d",
        info.method,
        info.path,
        info.status,
        info.request_id,
        info.duration * 1000,
        info.attempt,
    )
    if hook is None:
        return
    try:
        hook(info)
    except Exception:
        LOGGER.exception("on_response failed; the answer is handed on all the same")


def log_retry(request: Request, error: APIError, *, wait: float, tries: int) -> None:
    """Log that a request will be sent again."""
    LOGGER.info(
        "%s %s: try %d failed (%s, %s), trying again in %.1f s",
        request.method,
        request.path,
        tries,
        error.outcome,
        error.status_code,
        wait,
    )
