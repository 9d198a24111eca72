"""The settings of a client, checked once, so that a request has nothing left to check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, TypedDict

from finetune_client.errors import ConfigurationError
from finetune_client.transport.credentials import Credential, check_headers
from finetune_client.transport.paths import merge_query, query_pairs
from finetune_client.transport.retry import RetryPolicy

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import requests

    from finetune_client.providers import Provider
    from finetune_client.transport.hooks import OnResponse
    from finetune_client.transport.origin import BaseURL
    from finetune_client.transport.request import Timeout

__all__ = [
    "CLIENT_OPTIONS",
    "DEFAULT_TIMEOUT",
    "ClientOptions",
    "Config",
    "NetworkOptions",
    "check_names",
    "check_query",
    "check_timeout",
    "of_client",
    "with_changes",
]

DEFAULT_TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and seconds of silence while sending or receiving."""

_LONGEST = 10.0**7


class _NotGiven(Enum):
    NOT_GIVEN = auto()


_NOT_GIVEN: Final = _NotGiven.NOT_GIVEN
"""A limit stays as it is, whereas None removes it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
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
        total_timeout: Seconds for a whole call: all attempts, waits and the body; None for no limit.
        retries: How often and how patiently to retry.
        allow_http: A redirect may lead over plain http to another machine.
        on_response: Shown every answer.
        ledger: The file that remembers which idempotency key created which job.
        webhook_secret: What the webhooks of the server are signed with.
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
    ledger: Path | None = None
    webhook_secret: str | None = None

    @property
    def keys(self) -> tuple[Any, Any]:
        """The keys as they were given, for `hide_secret_headers`."""
        return self.credential.source, self.admin_credential.source


class ClientOptions(TypedDict, total=False):
    """Options that have nothing to do with connections; see `finetune_client.Client`."""

    timeout: Timeout | None
    total_timeout: float | None
    max_retries: int
    max_retry_wait: float
    headers: Mapping[str, str] | None
    query: Mapping[str, Any] | None
    on_response: OnResponse | None
    ledger: str | PathLike[str] | None
    webhook_secret: str | None


class NetworkOptions(ClientOptions, total=False):
    """Options of a client that uses the network; see `finetune_client.Client`."""

    verify: bool | str | None
    cert: str | tuple[str, str] | None
    proxies: Mapping[str, str | None] | None
    session: requests.Session | None
    allow_http: bool


CLIENT_OPTIONS: Final = frozenset(ClientOptions.__annotations__)


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
    ledger: Path | None = None,
    webhook_secret: str | None = None,
) -> Config:
    """Return a copy with other settings; headers and query are added to those there are.

    None removes the limit of ``timeout`` and ``total_timeout``; any other setting it leaves as it is.

    Raises:
        ConfigurationError: A setting is not valid.
    """
    retries = config.retries
    if max_retries is not None:
        retries = replace(retries, max_retries=_check_retries(max_retries))
    if max_retry_wait is not None:
        retries = replace(retries, max_retry_wait=check_seconds(max_retry_wait, "max_retry_wait"))
    if on_response is not None and not callable(on_response):
        raise ConfigurationError("on_response must be callable.")
    return replace(
        config,
        timeout=config.timeout if isinstance(timeout, _NotGiven) else check_timeout(timeout),
        total_timeout=config.total_timeout
        if isinstance(total_timeout, _NotGiven)
        else _check_limit(total_timeout, "total_timeout"),
        retries=retries,
        headers={**config.headers, **check_headers(headers, keys=config.keys)},
        query=merge_query(config.query, check_query(query)),
        on_response=on_response or config.on_response,
        ledger=ledger or config.ledger,
        webhook_secret=config.webhook_secret if webhook_secret is None else webhook_secret,
    )


def check_query(query: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the pairs of a query that a user gave.

    Raises:
        ConfigurationError: It is not a mapping.
    """
    if not isinstance(query, Mapping | None):
        raise ConfigurationError(
            f"query must be a mapping of names to values, not {type(query).__name__}."
        )
    return query_pairs(query or {})


def check_timeout(timeout: Timeout | None) -> tuple[float | None, float | None]:
    """Return the limits for one value for both, or for a pair of (connect, read).

    Raises:
        ConfigurationError: Not one or two, each None or a number above zero.
    """
    if isinstance(timeout, tuple | list):
        if len(timeout) != 2:
            raise ConfigurationError("timeout must be a number of seconds or (connect, read).")
        connect, read = timeout
        return _check_limit(connect, "timeout"), _check_limit(read, "timeout")
    seconds = _check_limit(timeout, "timeout")
    return seconds, seconds


def _check_limit(value: Any, name: str) -> float | None:
    return None if value is None else check_seconds(value, name)


def check_seconds(value: Any, name: str) -> float:
    """Check a number of seconds above zero.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{name} must be in seconds, got {value!r:.100}.")
    if not (value > 0 and math.isfinite(value) and value <= _LONGEST):
        raise ConfigurationError(f"{name} must be above zero and finite, got {value!r:.100}.")
    return float(value)


def _check_retries(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
        raise ConfigurationError(
            f"max_retries must be a whole number from 0 to 100, got {value!r:.100}."
        )
    return value


def of_client(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have nothing to do with connections."""
    return {name: value for name, value in options.items() if name in CLIENT_OPTIONS}


def check_names(options: Mapping[str, Any], known: Any, function: str) -> None:
    """Refuse an option that is not known, as Python does for a keyword.

    Raises:
        TypeError: Names it.
    """
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
