"""The settings of a client, checked once, so that a request has nothing left to check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import ConfigurationError
from finetune_client.transport.credentials import Credential, checked_headers
from finetune_client.transport.paths import query_pairs
from finetune_client.transport.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.providers import Provider
    from finetune_client.transport.hooks import OnResponse
    from finetune_client.transport.origin import BaseURL
    from finetune_client.transport.request import Timeout

__all__ = [
    "DEFAULT_TIMEOUT",
    "Config",
    "checked_query",
    "checked_timeout",
    "merged_query",
    "with_changes",
]

DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and seconds of silence while sending or receiving."""

_LONGEST = 10.0**7


class _NotGiven(Enum):
    NOT_GIVEN = auto()


_NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""A limit stays as it is, whereas None removes it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """What a session needs to know.

    Attributes:
        base_url: Whom to speak to.
        provider: What kind of server that is.
        credential: The key.
        admin_credential: The admin key, for the requests that need one.
        headers: Sent with every request.
        query: Put into the query of every request.
        timeout: Seconds to connect, and of silence; None for no limit.
        total_timeout: Seconds for a whole call: all tries, waits and the body; None for no limit.
        retries: How often and how patiently to try again.
        allow_http: A redirect may lead over plain http to another machine.
        on_response: Shown every answer.
    """

    base_url: BaseURL
    provider: Provider
    credential: Credential
    admin_credential: Credential
    headers: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    timeout: tuple[float | None, float | None] = DEFAULT_TIMEOUT
    total_timeout: float | None = None
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    allow_http: bool = False
    on_response: OnResponse | None = None

    @property
    def keys(self) -> tuple[Any, Any]:
        """The keys as they were given, for `hidden_headers`."""
        return self.credential.source, self.admin_credential.source


def with_changes(
    config: Config,
    *,
    timeout: Timeout | _NotGiven | None = _NOT_GIVEN,
    total_timeout: float | _NotGiven | None = _NOT_GIVEN,
    max_retries: int | None = None,
    max_retry_wait: float | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    on_response: OnResponse | None = None,
) -> Config:
    """Return a copy with other settings; headers and query are added to those there are.

    None removes the limit of ``timeout`` and ``total_timeout``; any other setting it leaves as it is.

    Raises:
        ConfigurationError: A setting is not valid.
    """
    retries = config.retries
    if max_retries is not None:
        retries = replace(retries, max_retries=_checked_count(max_retries))
    if max_retry_wait is not None:
        retries = replace(retries, longest_wait=checked_seconds(max_retry_wait, "max_retry_wait"))
    if on_response is not None and not callable(on_response):
        raise ConfigurationError("on_response must be callable.")
    return replace(
        config,
        timeout=config.timeout if isinstance(timeout, _NotGiven) else checked_timeout(timeout),
        total_timeout=config.total_timeout
        if isinstance(total_timeout, _NotGiven)
        else _checked_limit(total_timeout, "total_timeout"),
        retries=retries,
        headers={**config.headers, **checked_headers(headers, keys=config.keys)},
        query=merged_query(config.query, checked_query(query)),
        on_response=on_response or config.on_response,
    )


def checked_query(query: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Flatten a query that a user gave.

    Raises:
        ConfigurationError: It is no mapping.
    """
    if not isinstance(query, Mapping | None):
        raise ConfigurationError(
            f"query must be a mapping of names to values, not {type(query).__name__}."
        )
    return query_pairs(query or {})


def merged_query(
    first: Iterable[tuple[str, str]], second: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Put two queries together; where both have a key, the second's holds."""
    added = tuple(second)
    keys = {key for key, _ in added}
    return (*(pair for pair in first if pair[0] not in keys), *added)


def checked_timeout(timeout: Timeout | None) -> tuple[float | None, float | None]:
    """Return the limits for one value for both, or for a pair of (connect, read).

    Raises:
        ConfigurationError: Not one or two, each None or a number above zero.
    """
    if isinstance(timeout, tuple | list):
        if len(timeout) != 2:
            raise ConfigurationError("timeout must be a number of seconds or (connect, read).")
        connect, read = timeout
        return _checked_limit(connect, "timeout"), _checked_limit(read, "timeout")
    seconds = _checked_limit(timeout, "timeout")
    return seconds, seconds


def _checked_limit(value: Any, name: str) -> float | None:
    return None if value is None else checked_seconds(value, name)


def checked_seconds(value: Any, name: str) -> float:
    """Take a number of seconds above zero.

    Raises:
        ConfigurationError: Something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{name} must be in seconds, got {value!r:.100}.")
    if not (value > 0 and math.isfinite(value) and value <= _LONGEST):
        raise ConfigurationError(f"{name} must be above zero and finite, got {value!r:.100}.")
    return float(value)


def _checked_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise ConfigurationError(
            f"max_retries must be a whole number from 0 to 100, got {value!r:.100}."
        )
    return value
