"""The keyword arguments that calls take beside their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from finetune_client.errors import RequestError
from finetune_client.transport import merge_query, query_pairs
from finetune_client.transport.credentials import hide_secret_headers
from finetune_client.transport.request import NO_JSON, Body, Request, Timeout

__all__ = [
    "PollOptions",
    "RequestOptions",
    "check_poll_options",
    "options_of_uploads",
    "with_options",
    "without_extra_body",
]


class RequestOptions(TypedDict, total=False):
    """Keyword arguments of every call; the last word on what is sent.

    Attributes:
        extra_headers: Headers beside the client's own; the credential cannot be replaced.
        extra_query: Query parameters; one that the call sets itself is replaced.
        extra_body: Keys of the JSON body, or fields of the form that a file is sent in; one that
            the call sets itself is replaced. In a form a dict is sent as ``key[sub]``.
        timeout: Seconds for this call, one number or ``(connect, read)``; None for the client's.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    timeout: Timeout | None


class PollOptions(TypedDict, total=False):
    """Keyword arguments of calls that poll: what is sent with each of their requests.

    Attributes:
        extra_headers: As in `RequestOptions`.
        extra_query: As in `RequestOptions`.
    """

    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None


def with_options(request: Request, options: RequestOptions) -> Request:
    """Return a request with the options of its call.

    Raises:
        TypeError: A keyword is not one of `RequestOptions`.
        RequestError: An option is of the wrong kind, or ``extra_body`` was given to a request
            that has no body.
    """
    if not options:
        return request
    _check_names(options, RequestOptions.__optional_keys__)
    headers = _hide_headers(options)
    query, timeout = options.get("extra_query"), options.get("timeout")
    json, body = _merge_body(request, _extra_body(options))
    return replace(
        request,
        headers=_merge_headers(request.headers, headers) if headers else request.headers,
        query=merge_query(request.query, query_pairs(query or {})),
        json=json,
        body=body,
        timeout=request.timeout if timeout is None else timeout,
    )


def without_extra_body(options: RequestOptions) -> RequestOptions:
    """Return the options for the other requests that a call makes.

    Raises:
        TypeError: A keyword is not one of `RequestOptions`.
        RequestError: ``extra_headers`` is not a mapping.
    """
    _check_names(options, RequestOptions.__optional_keys__)
    _hide_headers(options)
    others = options.copy()
    others.pop("extra_body", None)
    return others


def options_of_uploads(
    options: RequestOptions, own: RequestOptions | None, routing_fields: frozenset[str]
) -> RequestOptions:
    """Return the options for the files that a call uploads.

    Args:
        options: The call's own, which hold for the uploads too, but for ``extra_body``.
        own: What is given for the uploads alone; it wins.
        routing_fields: The keys of the call's ``extra_body`` that go into the form of a file too.

    Raises:
        TypeError: A keyword is not one of `RequestOptions`.
        RequestError: An option is not a mapping.
    """
    if own is not None and not isinstance(own, Mapping):
        raise RequestError(
            f"upload_options must be a mapping of options, not {type(own).__name__}."
        )
    given: RequestOptions = {**own} if own is not None else {}
    without_extra_body(given)
    body = _extra_body(options) or {}
    routed = {key: value for key, value in body.items() if key in routing_fields}
    merged: RequestOptions = {**without_extra_body(options), **given}
    if form := {**routed, **(_extra_body(given) or {})}:
        merged["extra_body"] = form
    return merged


def check_poll_options(options: PollOptions) -> PollOptions:
    """Return ``options``.

    Raises:
        TypeError: A keyword is not one of `PollOptions`.
    """
    _check_names(options, PollOptions.__optional_keys__)
    return options


def _check_names(given: Iterable[str], known: frozenset[str]) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(
            f"unexpected keyword argument {', '.join(map(repr, unknown))}; beside its own arguments "
            f"a call takes {', '.join(sorted(known))}"
        )


def _hide_headers(options: RequestOptions) -> Mapping[str, str] | None:
    """Return ``extra_headers`` with the secret ones wrapped.

    They are wrapped in ``options`` itself: that dict is a local variable of the call, which a
    traceback may show.
    """
    headers = options.get("extra_headers")
    if headers is None:
        return None
    if not isinstance(headers, Mapping):
        raise RequestError(
            f"extra_headers must be a mapping of names to texts, not {type(headers).__name__}."
        )
    hidden: Mapping[str, str] = hide_secret_headers(headers)
    options["extra_headers"] = hidden
    return hidden


def _extra_body(options: RequestOptions) -> Mapping[str, Any] | None:
    extra = options.get("extra_body")
    if not extra:
        return None
    if not isinstance(extra, Mapping):
        raise RequestError(
            f"extra_body must be a mapping of keys to values, not {type(extra).__name__}."
        )
    return extra


def _merge_headers(own: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in extra}
    return {**{name: text for name, text in own.items() if name.lower() not in given}, **extra}


def _merge_body(request: Request, extra: Mapping[str, Any] | None) -> tuple[Any, Body | None]:
    """Return the JSON body and the other body of a request, one of them with ``extra``."""
    if not extra:
        return request.json, request.body
    if request.body is not None:
        from finetune_client.resources.files.multipart import Multipart  # only uploads have one

        if isinstance(request.body, Multipart):
            return request.json, request.body.with_fields(query_pairs(extra))
    own = {} if request.json is NO_JSON else request.json
    if request.method != "POST" or request.body is not None or not isinstance(own, dict):
        raise RequestError(
            f"{request.method} {request.path} has no JSON body: extra_body cannot be sent with it. "
            "extra_query adds to its query."
        )
    return {**own, **extra}, None
