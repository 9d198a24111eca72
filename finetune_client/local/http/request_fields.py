"""Reading what a request holds: its JSON body, its fields and its page, each slip a clear 400."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = [
    "JSON_BYTES",
    "choice",
    "integer",
    "json_body",
    "number",
    "only",
    "page",
    "size_limit",
    "text",
    "too_large",
    "with_ends",
]

JSON_BYTES = 8 * 1024 * 1024
_LARGEST_PAGE = 10_000
_DEEPEST = 100


def size_limit(most: int) -> None:
    """Refuse a body that says it is larger than ``most`` bytes, before any of it is read."""
    size = flask.request.content_length
    if size is not None and size > most:
        raise too_large(size, most)


def too_large(size: int, most: int) -> WireError:
    """Make the answer about a body of ``size`` bytes where ``most`` are taken."""
    return WireError(413, f"The body has {size} bytes; at most {most} are taken here.")


def json_body() -> dict[str, Any]:
    """Read the request's body, a JSON object of at most `JSON_BYTES`."""
    size_limit(JSON_BYTES)
    if flask.request.mimetype != "application/json":
        raise WireError(415, "The body must be JSON, sent with Content-Type: application/json.")
    raw = flask.request.stream.read(JSON_BYTES + 1)
    if len(raw) > JSON_BYTES:
        message = f"The body is larger than {JSON_BYTES} bytes, the most that is taken here."
        raise WireError(413, message)
    try:
        data = json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise WireError(400, f"The body is not JSON that can be read: {error}.") from None
    if not isinstance(data, dict):
        raise WireError(400, "The body must be a JSON object.")
    if _is_deep(data):
        raise WireError(400, f"The body is nested deeper than {_DEEPEST} levels.")
    return data


def _is_deep(data: object) -> bool:
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        values = [one.values() if isinstance(one, dict) else one for one in level]
        level = [inner for one in values for inner in one if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def only(body: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Refuse keys that are not among ``known``."""
    for key in body:
        if key not in known:
            name = f"{where}{key}"
            raise WireError(
                400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name
            )


def _missing(name: str) -> WireError:
    return WireError(
        400,
        f"Missing required parameter: '{name}'.",
        code="missing_required_parameter",
        param=name,
    )


def _wrong(name: str, expected: str, value: object) -> WireError:
    shown = json.dumps(value)[:80]
    message = f"Invalid value for '{name}': expected {expected}, but got {shown}."
    return WireError(400, message, code="invalid_value", param=name)


def _read(
    body: Mapping[str, Any],
    key: str,
    fits: Callable[[Any], bool],
    expected: str,
    *,
    where: str,
    required: bool = False,
) -> Any:
    value = body.get(key)
    if value is None and required:
        raise _missing(f"{where}{key}")
    if value is not None and not fits(value):
        raise _wrong(f"{where}{key}", expected, value)
    return value


def text(
    body: Mapping[str, Any], key: str, *, where: str = "", required: bool = False, most: int = 0
) -> Any:
    """Read a string that is not empty (at most ``most`` characters, if that is not 0)."""
    expected = f"a string of 1 to {most} characters" if most else "a string that is not empty"
    return _read(
        body,
        key,
        lambda v: isinstance(v, str) and 0 < len(v) <= (most or len(v)),
        expected,
        where=where,
        required=required,
    )


def choice(
    body: Mapping[str, Any],
    key: str,
    options: Sequence[str],
    *,
    where: str = "",
    required: bool = False,
) -> Any:
    """Read one of the strings in ``options``."""
    return _read(
        body,
        key,
        lambda v: isinstance(v, str) and v in options,
        f"one of {', '.join(options)}",
        where=where,
        required=required,
    )


def integer(
    body: Mapping[str, Any],
    key: str,
    low: int,
    high: int,
    *,
    where: str = "",
    required: bool = False,
) -> Any:
    """Read a whole number from ``low`` to ``high`` (``4.0`` is one, ``true`` is none)."""
    value = _read(
        body,
        key,
        lambda v: _is_number(v) and v == v // 1 and low <= v <= high,
        f"a whole number from {low} to {high}",
        where=where,
        required=required,
    )
    return None if value is None else int(value)


def number(body: Mapping[str, Any], key: str, above: float, most: float, *, where: str = "") -> Any:
    """Read a number that is more than ``above`` and at most ``most``."""
    expected = f"a number above {above:g}"
    if most != float("inf"):
        expected += f" and at most {most:g}"
    return _read(body, key, lambda v: _is_number(v) and above < v <= most, expected, where=where)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < float("inf")


def page(rows: Sequence[Mapping[str, Any]], default: int) -> tuple[list[Mapping[str, Any]], bool]:
    """Cut the page that the query's ``after`` and ``limit`` ask for out of ``rows``.

    Args:
        rows: All rows, in the order of the list.
        default: How many a page holds where no limit is given.

    Returns:
        The page, and whether more rows follow it.
    """
    limit = _limit(flask.request.args.get("limit"), default)
    start = _position(rows, flask.request.args.get("after"))
    return list(rows[start : start + limit]), len(rows) > start + limit


def with_ends(
    data: list[Mapping[str, Any]], more: bool, *, nothing: str | None = None
) -> dict[str, Any]:
    """Make the object of a page that names its first and its last row, ``nothing`` without rows."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else nothing,
        "last_id": data[-1]["id"] if data else nothing,
        "has_more": more,
    }


def _limit(value: str | None, default: int) -> int:
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= _LARGEST_PAGE:
        raise _wrong("limit", f"a whole number from 1 to {_LARGEST_PAGE}", value)
    return int(value)


def _position(rows: Sequence[Mapping[str, Any]], after: str | None) -> int:
    if after is None:
        return 0
    for position, row in enumerate(rows):
        if row["id"] == after:
            return position + 1
    raise WireError(400, f"No row of this list has the id '{after}'.", param="after")
