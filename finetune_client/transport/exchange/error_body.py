"""The body of an error response: what the server said, whatever form it gave it."""

from __future__ import annotations

import re
from typing import Any, Final

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
from finetune_client.transport.exchange.json_body import UnreadableError, decode_json, excerpt

__all__ = ["error_class", "read_error_body"]

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
# Patterns as text are compiled when they are first needed, which most programs never do.
_TITLE: Final = r"(?is)<title[^>]*>(.*?)</title"
_TAG: Final = r"<[^<>]*>"


def error_class(status: int) -> type[APIStatusError]:
    """Return the exception's class for a status: by number, else by hundred."""
    return _CLASSES.get(status, InternalServerError if status >= 500 else APIStatusError)


def read_error_body(body: bytes) -> dict[str, Any]:
    """Return ``text`` (None if the server said nothing), ``code``, ``param``, ``type``, ``body``."""
    text = body.decode("utf-8-sig", "replace")
    try:
        data = decode_json(body)
    except UnreadableError:
        data = None
    if data is None or _depth(data) > _DEEPEST:
        return {
            "text": _message_in_text(text),
            "code": None,
            "param": None,
            "type": None,
            "body": text,
        }
    inner = data["error"] if isinstance(data, dict) and data.get("error") else data
    if not isinstance(inner, dict):
        return {
            "text": _message_in(inner),
            "code": None,
            "param": None,
            "type": None,
            "body": inner,
        }
    return {
        "text": _message_in_object(inner)
        or _message_in_object(data)
        or _excerpt_of_object(data, text),
        "code": _scalar_text(inner.get("code"))
        or _scalar_text(_innermost_error(inner).get("code")),
        "param": _scalar_text(inner.get("param")) or _scalar_text(inner.get("target")),
        "type": _scalar_text(inner.get("type")),
        "body": inner,
    }


def _message_in_object(error: dict[str, Any]) -> str | None:
    """Return OpenAI's ``message``, Azure's inner error, ``detail``, or problem+json's ``title``."""
    message = _message_in(error.get("message"))
    inner = _message_in(_innermost_error(error).get("message"))
    if message and inner and inner not in message:
        message = f"{message} {inner}"
    said = message or inner or _message_in(error.get("detail")) or _message_in(error.get("error"))
    said = said or _message_in(error.get("title"))
    return excerpt(said, _LONGEST_MESSAGE) if said else None


def _excerpt_of_object(data: Any, text: str) -> str | None:
    """Return the start of an object without a key that is known, rather than say it was empty."""
    return excerpt(text, 200) if any(data.values()) else None


def _innermost_error(error: dict[str, Any]) -> dict[str, Any]:
    """Follow Azure's chain of inner errors to the innermost, which says most."""
    for _ in range(_DEEPEST):
        inner = error.get("innererror") or error.get("inner_error")
        if not isinstance(inner, dict):
            break
        error = inner
    return error


def _message_in(value: Any) -> str | None:
    """Return the message in a value: text, FastAPI's list of problems, or an object with one.

    It calls itself for what is inside; `read_error_body` sees to it that nothing is deep.
    """
    if isinstance(value, str):
        return excerpt(value, _LONGEST_MESSAGE) or None
    if isinstance(value, dict):
        return _message_of_problem(value) or _message_in(value.get("error"))
    if isinstance(value, list):
        parts = [part for part in map(_message_in, value[:20]) if part]
        return excerpt("; ".join(parts), _LONGEST_MESSAGE) or None
    return None


def _message_of_problem(value: dict[str, Any]) -> str | None:
    words = (
        _scalar_text(value.get("msg"))
        or _scalar_text(value.get("message"))
        or _scalar_text(value.get("detail"))
    )
    location = value.get("loc")
    if words and isinstance(location, list):
        return f"{'.'.join(str(part) for part in location)}: {words}"
    return words


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return excerpt(str(value), _LONGEST_MESSAGE) or None


def _message_in_text(text: str) -> str | None:
    title = re.search(_TITLE, text)
    if title:
        from html import unescape  # 2 ms for its tables, which only a proxy's HTML page needs

        return excerpt(unescape(title[1]), _LONGEST_MESSAGE) or None
    if text.lstrip()[:1] == "<":
        text = re.sub(_TAG, " ", text)
    return excerpt(text, 200) or None


def _depth(data: Any) -> int:
    """Return how deeply data is nested, without recursion; counting stops past the limit."""
    level = _nested_in([data])
    depth = 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [inner for value in level for inner in _nested_in(value)]
    return depth


def _nested_in(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value
    return [item for item in items if isinstance(item, dict | list)]
