"""Reading a request: its JSON body and its fields, each mistake a clear 400."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask

from finetune_client.local.http.errors import RequestRefusedError, invalid_value, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = [
    "MAX_JSON_BYTES",
    "check_known",
    "check_size",
    "json_body",
    "not_expected",
    "read_boolean",
    "read_choice",
    "read_integer",
    "read_number",
    "read_number_from",
    "read_text",
    "too_large",
]

MAX_JSON_BYTES = 8 * 1024 * 1024
_MAX_DEPTH = 100


def check_size(max_bytes: int) -> None:
    """Refuse a body whose Content-Length is above ``max_bytes``, before any of it is read."""
    size = flask.request.content_length
    if size is not None and size > max_bytes:
        raise too_large(size, max_bytes)


def too_large(size: int, max_bytes: int) -> RequestRefusedError:
    """Return the error for a body of ``size`` bytes where ``max_bytes`` are allowed."""
    return RequestRefusedError(
        413, f"The body has {size} bytes; at most {max_bytes} are taken here."
    )


def json_body() -> dict[str, Any]:
    """Read the request's body, a JSON object of at most `MAX_JSON_BYTES`."""
    check_size(MAX_JSON_BYTES)
    if flask.request.mimetype != "application/json":
        raise RequestRefusedError(
            415, "The body must be JSON, sent with Content-Type: application/json."
        )
    raw = flask.request.stream.read(MAX_JSON_BYTES + 1)
    if len(raw) > MAX_JSON_BYTES:
        message = f"The body is larger than {MAX_JSON_BYTES} bytes, the most that is taken here."
        raise RequestRefusedError(413, message)
    try:
        data = json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RequestRefusedError(400, f"The body is not JSON that can be read: {error}.") from None
    if not isinstance(data, dict):
        raise RequestRefusedError(400, "The body must be a JSON object.")
    if _is_deep(data):
        raise RequestRefusedError(400, f"The body is nested deeper than {_MAX_DEPTH} levels.")
    return data


def _is_deep(data: object) -> bool:
    level: list[Any] = [data]
    for _ in range(_MAX_DEPTH):
        values = [one.values() if isinstance(one, dict) else one for one in level]
        level = [inner for one in values for inner in one if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def check_known(body: Mapping[str, Any], known: Collection[str], where: str = "") -> None:
    """Refuse keys that are not among ``known``."""
    for key in body:
        if key not in known:
            name = f"{where}{key}"
            raise RequestRefusedError(
                400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name
            )


def not_expected(name: str, expected: str, value: object) -> RequestRefusedError:
    """Return the error for a value that is not what is expected."""
    got = json.dumps(value)[:80]
    return invalid_value(f"Invalid value for '{name}': expected {expected}, but got {got}.", name)


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
        raise missing_parameter(f"{where}{key}")
    if value is not None and not fits(value):
        raise not_expected(f"{where}{key}", expected, value)
    return value


def read_text(
    body: Mapping[str, Any],
    key: str,
    *,
    where: str = "",
    required: bool = False,
    max_length: int = 0,
) -> Any:
    """Read a string that is not empty, of at most ``max_length`` characters if that is not 0."""
    expected = "a string that is not empty"
    if max_length:
        expected = f"a string of 1 to {max_length} characters"
    return _read(
        body,
        key,
        lambda v: isinstance(v, str) and 0 < len(v) <= (max_length or len(v)),
        expected,
        where=where,
        required=required,
    )


def read_choice(
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


def read_integer(
    body: Mapping[str, Any],
    key: str,
    low: int,
    high: int,
    *,
    where: str = "",
    required: bool = False,
) -> Any:
    """Read a whole number from ``low`` to ``high`` (``4.0`` is one, ``true`` is not)."""
    value = _read(
        body,
        key,
        lambda v: _is_number(v) and v == v // 1 and low <= v <= high,
        f"a whole number from {low} to {high}",
        where=where,
        required=required,
    )
    return None if value is None else int(value)


def read_number(
    body: Mapping[str, Any], key: str, above: float, high: float, *, where: str = ""
) -> Any:
    """Read a number that is more than ``above`` and at most ``high``."""
    expected = f"a number above {above:g}"
    if high != float("inf"):
        expected += f" and at most {high:g}"
    return _read(body, key, lambda v: _is_number(v) and above < v <= high, expected, where=where)


def read_number_from(body: Mapping[str, Any], key: str, low: float, high: float) -> Any:
    """Read a number from ``low`` to ``high``, both included."""
    expected = f"a number from {low:g} to {high:g}"
    return _read(body, key, lambda v: _is_number(v) and low <= v <= high, expected, where="")


def read_boolean(body: Mapping[str, Any], key: str, *, where: str = "") -> Any:
    """Read ``true`` or ``false``."""
    return _read(body, key, lambda v: isinstance(v, bool), "true or false", where=where)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < float("inf")
