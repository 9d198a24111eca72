"""The options that every way of making a client takes, as types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from finetune_client.transport.hooks import OnResponse
    from finetune_client.transport.request import Timeout

__all__ = ["CLIENT_OPTIONS", "ClientOptions", "NetworkOptions", "check_names", "of_client"]


class ClientOptions(TypedDict, total=False):
    """Options that have nothing to do with connections; see `finetune_client.Client`."""

    timeout: Timeout | None
    total_timeout: float | None
    max_retries: int
    max_retry_wait: float
    headers: Mapping[str, str] | None
    query: Mapping[str, Any] | None
    on_response: OnResponse | None


class NetworkOptions(ClientOptions, total=False):
    """Options of a client that uses the network; see `finetune_client.Client`."""

    verify: bool | str | None
    cert: str | tuple[str, str] | None
    proxies: Mapping[str, str] | None
    session: requests.Session | None
    allow_http: bool


CLIENT_OPTIONS: Final = frozenset(ClientOptions.__annotations__)


def of_client(options: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the options that have nothing to do with connections."""
    return {name: value for name, value in options.items() if name in CLIENT_OPTIONS}


def check_names(options: Mapping[str, Any], known: Any, function: str) -> None:
    """Refuse an option that is not known, as Python does for a keyword.

    Raises:
        TypeError: Names it.
    """
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
