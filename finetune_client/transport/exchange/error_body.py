"""An error answer, as an exception: what the server said, whatever form it gave it."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any, Final

from finetune_client.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from finetune_client.transport.exchange.json_body import UnreadableError, decoded_json, excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_class", "error_facts", "rate_limits", "request_id"]

_CLASSES: Final[dict[int, type[APIStatusError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
_LONGEST_MESSAGE: Final = 500
_DEEPEST: Final = 50
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<[^<>]*>")


def error_class(status: int) -> type[APIStatusError]:
    """The exception for a status: by number, else by hundred."""
    return _CLASSES.get(status, InternalServerError if status >= 500 else APIStatusError)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The server's name for the request: OpenAI's header, else Azure's."""
    text = headers.get("x-request-id") or headers.get("apim-request-id")
    return (excerpt(text, 200) or None) if text else None


def rate_limits(headers: Mapping[str, str]) -> dict[str, str]:
    """The ``x-ratelimit-*`` headers, names in lower case."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith("x-ratelimit-")
    }


def error_facts(body: bytes) -> dict[str, Any]:
    """Take ``text`` (None if the server said nothing), ``code``, ``param``, ``type``, ``body``."""
    text = body.decode("utf-8-sig", "replace")
    try:
        data = decoded_json(body)
    except UnreadableError:
        data = None
    if data is None or _depth(data) > _DEEPEST:
        return {"text": _from_text(text), "code": None, "param": None, "type": None, "body": text}
    inner = data["error"] if isinstance(data, dict) and data.get("error") else data
    if not isinstance(inner, dict):
        return {"text": _said(inner), "code": None, "param": None, "type": None, "body": inner}
    return {
        "text": _from_object(inner) or _from_object(data) or _unworded(data, text),
        "code": _word(inner.get("code")) or _word(_innermost(inner).get("code")),
        "param": _word(inner.get("param")) or _word(inner.get("target")),
        "type": _word(inner.get("type")),
        "body": inner,
    }


def _from_object(error: dict[str, Any]) -> str | None:
    """OpenAI's ``message``, Azure's inner error, ``detail``, or problem+json's ``title``."""
    message = _said(error.get("message"))
    inner = _said(_innermost(error).get("message"))
    if message and inner and inner not in message:
        message = f"{message} {inner}"
    said = message or inner or _said(error.get("detail")) or _said(error.get("error"))
    said = said or _said(error.get("title"))
    return excerpt(said, _LONGEST_MESSAGE) if said else None


def _unworded(data: Any, text: str) -> str | None:
    """Show an object in which there are no words that are known, rather than say it was empty."""
    return excerpt(text, 200) if any(data.values()) else None


def _innermost(error: dict[str, Any]) -> dict[str, Any]:
    """Follow Azure's chain of inner errors to the one that knows most."""
    for _ in range(_DEEPEST):
        inner = error.get("innererror") or error.get("inner_error")
        if not isinstance(inner, dict):
            break
        error = inner
    return error


def _said(value: Any) -> str | None:
    """The words in a value: text, FastAPI's list of problems, or an object with a message.

    It calls itself for what is inside; `error_facts` sees to it that nothing is deep.
    """
    if isinstance(value, str):
        return excerpt(value, _LONGEST_MESSAGE) or None
    if isinstance(value, dict):
        return _problem(value) or _said(value.get("error"))
    if isinstance(value, list):
        parts = [part for part in map(_said, value[:20]) if part]
        return excerpt("; ".join(parts), _LONGEST_MESSAGE) or None
    return None


def _problem(value: dict[str, Any]) -> str | None:
    words = _word(value.get("msg")) or _word(value.get("message")) or _word(value.get("detail"))
    place = value.get("loc")
    if words and isinstance(place, list):
        return f"{'.'.join(str(part) for part in place)}: {words}"
    return words


def _word(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return excerpt(str(value), _LONGEST_MESSAGE) or None


def _from_text(text: str) -> str | None:
    title = _TITLE.search(text)
    if title:
        return excerpt(unescape(title[1]), _LONGEST_MESSAGE) or None
    if text.lstrip()[:1] == "<":
        text = _TAG.sub(" ", text)
    return excerpt(text, 200) or None


def _depth(data: Any) -> int:
    """How deeply data is nested, without recursion; stops counting past the limit."""
    level = _containers([data])
    depth = 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [inner for value in level for inner in _containers(value)]
    return depth


def _containers(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value
    return [item for item in items if isinstance(item, dict | list)]
