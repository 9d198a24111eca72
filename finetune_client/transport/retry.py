"""Whether a request is sent again, and after how long. Pure functions over data.

The whole policy is the table in ``docs/reliability.md``.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal

from finetune_client.clock import backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from finetune_client.errors import Outcome

__all__ = ["Retry", "RetryPolicy", "judge_status", "parse_retry_after", "wait_before_retry"]

Retry = Literal["no", "if_idempotent", "yes"]
"""Which requests are worth sending again after a failure: none; those that may be carried out
twice; all, because this one was certainly not carried out."""

_NUMBER: Final = r"[0-9]{1,12}(\.[0-9]{0,12})?"
_TRANSIENT: Final = frozenset({408, 409})
_QUOTA: Final = "insufficient_quota"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how patiently to retry; all times in seconds.

    Attributes:
        max_retries: Attempts after the first.
        max_retry_wait: A server that asks for more than this is not waited for.
        first_backoff: The upper end of the first wait where the server names none; each next one
            is twice as long, up to `longest_backoff`.
    """

    max_retries: int = 2
    max_retry_wait: float = 60.0
    first_backoff: float = 0.5
    longest_backoff: float = 8.0


def judge_status(
    status: int,
    headers: Mapping[str, str],
    *,
    code: str | None,
    kind: str | None,
    retry_after: float | None,
) -> tuple[Outcome, Retry]:
    """Return what an error status tells about the request, and which requests to send again.

    Args:
        status: The status.
        headers: Those of the answer; ``x-should-retry`` forbids a retry, or allows an idempotent one.
        code: The error's code; a used-up quota does not come back by waiting.
        kind: The error's type, in which some servers say the same.
        retry_after: What the server asked for.
    """
    outcome, retry = _judge_by_number(status, retry_after)
    hint = headers.get("x-should-retry", "").strip().lower()
    if hint == "false" or _QUOTA in {code, kind}:
        return outcome, "no"
    if hint == "true" and retry == "no" and status >= 400:
        return outcome, "if_idempotent"
    return outcome, retry


def _judge_by_number(status: int, retry_after: float | None) -> tuple[Outcome, Retry]:
    if status == 429 or (status == 503 and retry_after is not None):
        return "refused", "yes"
    if status >= 500 or status in _TRANSIENT:
        return "ambiguous", "if_idempotent"
    if status < 200:
        return "ambiguous", "no"
    return "refused", "no"


def wait_before_retry(
    policy: RetryPolicy,
    *,
    retry: Retry,
    idempotent: bool,
    attempts: int,
    retry_after: float | None,
    random_fraction: float,
) -> float | None:
    """Return the seconds to wait before the next attempt, or None to give up.

    Args:
        policy: How often and how patiently.
        retry: Which requests may be sent again after this failure.
        idempotent: Whether the request may be carried out twice.
        attempts: How many were made.
        retry_after: What the server asked for.
        random_fraction: A random number from 0 up to, not including, 1.
    """
    if attempts > policy.max_retries or retry == "no":
        return None
    if retry == "if_idempotent" and not idempotent:
        return None
    if retry_after is not None and retry_after > policy.max_retry_wait:
        return None
    if retry_after:
        return retry_after
    longest = backoff(attempts, first=policy.first_backoff, longest=policy.longest_backoff)
    return longest * (1.0 - random_fraction)  # many clients that failed at once come back apart


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read ``retry-after-ms``, then ``Retry-After`` as seconds or as a date; None if unusable."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("Retry-After")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    return _seconds_until(text, now)


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(_NUMBER, text.strip()):
        return None
    return float(text)


def _seconds_until(date: str, now: float) -> float | None:
    try:
        seconds = parsedate_to_datetime(date[:100]).timestamp() - now
    except (ValueError, IndexError, OverflowError, OSError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
