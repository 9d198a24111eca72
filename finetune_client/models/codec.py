"""Readers: each pops a key from a dict and checks its kind in one call.

A value of the wrong kind goes back into the dict. What is left there when all fields are read is
the object's `extra`, so nothing that a server sent is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from finetune_client.errors import DecodeError
from finetune_client.models.auto import AUTO, Auto

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "auto_integer",
    "auto_number",
    "boolean",
    "copied",
    "integer",
    "mapping",
    "nested",
    "nested_list",
    "number",
    "number_list",
    "required",
    "text",
    "text_list",
]

T = TypeVar("T")

EXACT = 2**53
"""Up to here every whole number is a float."""


def copied(what: type, data: Any) -> dict[str, Any]:
    """Copy the object `data`, of which a `what` is to be made.

    Raises:
        DecodeError: It is no object.
    """
    if isinstance(data, dict):
        return data.copy()
    if isinstance(data, Mapping):
        return dict(data)
    raise DecodeError(
        f"Cannot read a {what.__name__}: it must be an object, got {type(data).__name__}."
    )


def required(what: type, data: dict[str, Any], key: str) -> str:
    """Pop a text that a `what` is useless without.

    Raises:
        DecodeError: It is missing or no text.
    """
    value = data.pop(key, None)
    if isinstance(value, str):
        return value
    found = "it is missing" if value is None else f"got {type(value).__name__}"
    raise DecodeError(f'Cannot read a {what.__name__}: "{key}" must be text, {found}.', path=key)


def text(data: dict[str, Any], key: str) -> str | None:
    """Pop a text."""
    value = data.pop(key, None)
    if value is None or isinstance(value, str):
        return value
    data[key] = value
    return None


def integer(data: dict[str, Any], key: str) -> int | None:
    """Pop a whole number; ``True`` and ``4.0`` are none."""
    value = data.pop(key, None)
    if value is None or type(value) is int:
        return value
    data[key] = value
    return None


def number(data: dict[str, Any], key: str) -> float | None:
    """Pop a number; ``True`` is none."""
    value = data.pop(key, None)
    if value is None or type(value) is float or type(value) is int:
        return value
    data[key] = value
    return None


def boolean(data: dict[str, Any], key: str) -> bool | None:
    """Pop a truth value; ``1`` is none."""
    value = data.pop(key, None)
    if value is None or type(value) is bool:
        return value
    data[key] = value
    return None


def auto_integer(data: dict[str, Any], key: str) -> int | Auto | None:
    """Pop ``"auto"`` or a whole number; some servers write 4 as ``4.0``, which is taken as 4."""
    value = data.pop(key, None)
    if value is None or type(value) is int:
        return value
    if isinstance(value, str) and value == "auto":
        return AUTO
    if type(value) is float and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    data[key] = value
    return None


def auto_number(data: dict[str, Any], key: str) -> float | Auto | None:
    """Pop ``"auto"`` or a number."""
    value = data.pop(key, None)
    if value is None or type(value) is float or type(value) is int:
        return value
    if isinstance(value, str) and value == "auto":
        return AUTO
    data[key] = value
    return None


def mapping(data: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Pop an object whose values may be anything."""
    value = data.pop(key, None)
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict(value)
    data[key] = value
    return None


def text_list(data: dict[str, Any], key: str) -> list[str] | None:
    """Pop an array of texts."""
    value = data.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return list(value)
    data[key] = value
    return None


def number_list(data: dict[str, Any], key: str) -> list[float] | None:
    """Pop an array of numbers."""
    value = data.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(type(one) in {int, float} for one in value):
        return list(value)
    data[key] = value
    return None


def nested(data: dict[str, Any], key: str, read: Callable[[Any], T]) -> T | None:
    """Pop an object that `read` makes a value of."""
    value = data.pop(key, None)
    if value is None:
        return None
    try:
        return read(value)
    except DecodeError:
        data[key] = value
        return None


def nested_list(data: dict[str, Any], key: str, read: Callable[[Any], T]) -> list[T] | None:
    """Pop an array of objects; one that cannot be read makes the whole array stay."""
    value = data.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        try:
            return [read(one) for one in value]
        except DecodeError:
            pass
    data[key] = value
    return None
