"""What every call takes beside its own arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from finetune_client.errors import RequestError
from finetune_client.transport import merge_query, query_pairs
from finetune_client.transport.credentials import hide_secret_headers
from finetune_client.transport.request import NO_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.transport.request import Request, Timeout

__all__ = ["Extras", "Options", "apply", "check_extras", "without_body"]


class Options(TypedDict, total=False):
    """Keyword arguments of every call; the last word on what is sent.

    Attributes:
        extra_headers: Headers beside the client's own; the credential cannot be replaced.
        extra_query: Query parameters; one that the call sets itself is replaced.
        extra_body: Keys of the JSON body; one that the call sets itself is replaced.
        timeout: Seconds for this call, one number or ``(connect, read)``; None for the client's.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    timeout: Timeout | None


class Extras(TypedDict, total=False):
    """Keyword arguments of calls that make many requests: what is sent with each of them.

    Attributes:
        extra_headers: As in `Options`.
        extra_query: As in `Options`.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None


def apply(request: Request, options: Options) -> Request:
    """Put ``options`` into ``request``.

    Raises:
        TypeError: A keyword is none of `Options`.
        RequestError: ``extra_body`` was given to a request that has no JSON body.
    """
    _refuse_unknown(options, Options.__optional_keys__)
    headers, query = _hide(options), options.get("extra_query")
    timeout = options.get("timeout")
    return replace(
        request,
        headers=_merge_headers(request.headers, headers) if headers else request.headers,
        query=merge_query(request.query, query_pairs(query or {})),
        json=_merge_body(request, options.get("extra_body")),
        timeout=request.timeout if timeout is None else timeout,
    )


def without_body(options: Options) -> Options:
    """Return what of ``options`` goes with the other requests that a call makes.

    Raises:
        TypeError: A keyword is none of `Options`.
    """
    _refuse_unknown(options, Options.__optional_keys__)
    return {
        "extra_headers": _hide(options),
        "extra_query": options.get("extra_query"),
        "timeout": options.get("timeout"),
    }


def check_extras(extras: Extras) -> Extras:
    """Return ``extras``; a keyword that is none of `Extras` is a `TypeError`."""
    _refuse_unknown(extras, Extras.__optional_keys__)
    return extras


def _hide(options: Options) -> Mapping[str, str] | None:
    """Wrap the headers that are secret where they stand, so that no traceback shows them."""
    headers = hide_secret_headers(options.get("extra_headers"))
    if not isinstance(headers, Mapping | None):
        raise RequestError(
            f"extra_headers must be a mapping of names to texts, not {type(headers).__name__}."
        )
    options["extra_headers"] = headers
    return headers


def _refuse_unknown(given: Iterable[str], known: frozenset[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"unexpected keyword argument {', '.join(map(repr, unknown))}")


def _merge_headers(own: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in extra}
    return {**{name: text for name, text in own.items() if name.lower() not in given}, **extra}


def _merge_body(request: Request, extra: Mapping[str, Any] | None) -> Any:
    if not extra:
        return request.json
    if not isinstance(extra, Mapping):
        raise RequestError(
            f"extra_body must be a mapping of keys to values, not {type(extra).__name__}."
        )
    own = {} if request.json is NO_JSON else request.json
    if request.method != "POST" or request.body is not None or not isinstance(own, dict):
        raise RequestError(
            f"{request.method} {request.path} has no JSON body: extra_body cannot be sent with it."
        )
    return {**own, **extra}
