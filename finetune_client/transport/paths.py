"""Paths and queries: checked, quoted, and put together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlencode

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_path", "encode_query", "merge_query", "path_segment", "query_pairs"]

_SAFE: Final = "!$&'()*+,;=:@"
"""What RFC 3986 lets stand in a path segment as it is; model names have ``:`` in them."""

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DOTS: Final = frozenset({".", ".."})


def path_segment(value: object, name: str) -> str:
    """Return a value quoted as one path segment, so that no value can leave its place in the path.

    Args:
        value: An id or a name, as text.
        name: The argument's name, for the message.

    Raises:
        RequestError: It is not text, is empty, is ``.`` or ``..`` (also percent-encoded), or has
            control characters or half of a surrogate pair.
    """
    if value is None or value == "":  # in the words of the official SDK
        raise RequestError(f"Expected a non-empty value for `{name}` but received {value!r}")
    if not isinstance(value, str):
        own = getattr(value, "id", None)  # a job, a file, ...
        remedy = f"; pass its id, {own!r}" if isinstance(own, str) else ""
        raise RequestError(f"{name} must be text, not {type(value).__name__}{remedy}.")
    if _PLAIN_ID.fullmatch(value):
        return value
    if _CONTROL.search(value):
        raise RequestError(f"{name} must not have control characters in it, got {value!r}.")
    if _unquote(value) in _DOTS:
        raise RequestError(f"{name} must not be {value!r}: it would lead out of the path.")
    return _quote(value, _SAFE, name)


def check_path(path: object) -> str:
    """Check a whole path that a user wrote; return it quoted, with a slash at its start.

    Raises:
        RequestError: It is not text, is a URL, has a query or a fragment, or leads elsewhere.
    """
    if not isinstance(path, str):
        raise RequestError(f"path must be text, not {type(path).__name__}.")
    if _CONTROL.search(path) or "\\" in path:
        raise RequestError(
            f"path must not have control characters or backslashes in it, got {path!r}."
        )
    if "?" in path or "#" in path:
        raise RequestError(f"path must not have ? or # in it, got {path!r}; give query= instead.")
    trimmed = path.removeprefix("/")
    parts = trimmed.split("/")
    if not trimmed or trimmed.startswith("/") or ":" in parts[0]:
        raise RequestError(
            f"path must be a path below the base URL, such as '/fine_tuning/jobs', got {path!r}."
        )
    if any(_unquote(piece) in _DOTS for part in parts for piece in _pieces(part)):
        raise RequestError(f"path must not have . or .. segments in it, got {path!r}.")
    return "/" + _quote(trimmed, _SAFE + "/%", "path")


def query_pairs(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a query's pairs.

    None is dropped, a boolean is true or false, a dict is ``key[sub]``, a list ``key[]``.

    Raises:
        RequestError: It is not a mapping.
    """
    if not isinstance(mapping, Mapping):
        raise RequestError(
            f"A query must be a mapping of names to values, not {type(mapping).__name__}."
        )
    pairs: list[tuple[str, str]] = []
    for key, value in mapping.items():
        pairs.extend(_pairs(key, value))
    return pairs


def merge_query(
    first: Iterable[tuple[str, str]], second: Iterable[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Return two queries as one; where both have a key, the second's holds."""
    added = tuple(second)
    if not added:
        return tuple(first)
    keys = {key for key, _ in added}
    return (*(pair for pair in first if pair[0] not in keys), *added)


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a query as it goes into the URL, without the question mark."""
    try:
        return urlencode(list(pairs))
    except UnicodeEncodeError:
        pass
    raise RequestError("The query has text in it that is not valid Unicode.")


def _pairs(key: str, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [(key, "true" if value else "false")]
    if isinstance(value, dict):
        return [pair for sub, item in value.items() for pair in _pairs(f"{key}[{sub}]", item)]
    if isinstance(value, list | tuple):
        return [pair for item in value for pair in _pairs(f"{key}[]", item)]
    return [(key, str(value))]


def _pieces(part: str) -> list[str]:
    return re.split(r"%2f|%5c", part, flags=re.IGNORECASE)


def _unquote(value: str) -> str:
    """Return a value without percent-encoding, also where it was done more than once."""
    for _ in range(3 if "%" in value else 0):
        value = unquote(value, errors="replace")
    return value


def _quote(value: str, safe: str, name: str) -> str:
    try:
        return quote(value, safe=safe)
    except UnicodeEncodeError:
        pass
    raise RequestError(f"{name} must be valid Unicode, got {value!a}.")
