"""How a model is read from its JSON form and written to it, and what all models have in common.

Each reader pops one key from a dict and checks the kind of its value. A value of the wrong kind
goes back into the dict. What is in the dict when all fields are read is the object's `extra`, so
nothing that a server sent is lost.

What a job is made of is read without calling the class: ``cls.__new__(cls)``, then field by field.
A call with 24 keyword arguments compares each name with all others, which was a third of the time
that reading a job took.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from finetune_client.display import short_repr
from finetune_client.errors import DecodeError
from finetune_client.models.auto import AUTO, Auto

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_DEPTH",
    "APIObject",
    "copy_fields",
    "copy_object",
    "pop_auto_integer",
    "pop_auto_number",
    "pop_boolean",
    "pop_integer",
    "pop_model",
    "pop_models",
    "pop_number",
    "pop_numbers",
    "pop_object",
    "pop_required",
    "pop_text",
    "pop_texts",
    "to_plain",
    "write_fields",
]

T = TypeVar("T")

MAX_DEPTH = 64
"""Nothing in the API is half as deep; what lies deeper is handed on as it is, and not checked."""

_LARGEST_EXACT = 2**53
"""Up to here every whole number is a float."""

_ATOMS = frozenset({str, int, float, bool})


class APIObject:
    """The base of all models: a JSON form, a short `repr`, and equality by fields.

    One `__eq__` for all saves what generating fifty of them costs at import.
    """

    __slots__ = ()
    _repr_fields: ClassVar[tuple[str, ...]] = ()
    """The fields in the repr; all of them where this is empty."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; fields that are `None` are left out."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = _compared_fields(self)
        return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]

    __hash__ = None  # type: ignore[assignment]  # what can change must not be a key

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with every protocol; Python itself refuses slots below the second."""
        own: Any = self
        values = {one.name: getattr(own, one.name) for one in fields(own)}
        return copyreg.__newobj__, (type(self),), (None, values)  # type: ignore[attr-defined]  # typeshed leaves it out

    def __repr__(self) -> str:
        pairs = [
            f"{name}={short_repr(value)}"
            for name in self._repr_fields or _compared_fields(self)
            if (value := getattr(self, name)) or (value is not None and name not in _OFTEN_EMPTY)
        ]
        return f"{type(self).__name__}({', '.join(pairs)})"


_OFTEN_EMPTY = frozenset({"extra", "unreadable"})
"""Fields that the repr leaves out where they are empty."""


def _compared_fields(value: Any) -> list[str]:
    """Return the names of the fields that tell two values apart."""
    return [one.name for one in fields(value) if one.compare]


def copy_fields(what: type, data: Any) -> dict[str, Any]:
    """Return a copy of the object `data`, to pop the fields of a `what` from.

    Raises:
        DecodeError: It is not an object.
    """
    if isinstance(data, dict):
        return data.copy()
    if isinstance(data, Mapping):
        return dict(data)
    raise DecodeError(
        f"Cannot read {_with_article(what)}: it must be an object, got {type(data).__name__}."
    )


def pop_required(what: type, rest: dict[str, Any], key: str) -> str:
    """Pop a text that a `what` is useless without.

    Raises:
        DecodeError: It is missing or not text.
    """
    value = rest.pop(key, None)
    if isinstance(value, str):
        return value
    found = "it is missing" if value is None else f"got {type(value).__name__}"
    raise DecodeError(
        f'Cannot read {_with_article(what)}: "{key}" must be text, {found}.', path=key
    )


def _with_article(what: type) -> str:
    return f"{'an' if what.__name__[0] in 'AEIOU' else 'a'} {what.__name__}"


def pop_text(rest: dict[str, Any], key: str) -> str | None:
    """Pop a text."""
    value = rest.pop(key, None)
    if value is None or isinstance(value, str):
        return value
    rest[key] = value
    return None


def pop_integer(rest: dict[str, Any], key: str) -> int | None:
    """Pop a whole number; ``True`` and ``4.0`` are not taken for one."""
    value = rest.pop(key, None)
    if value is None or type(value) is int:
        return value
    rest[key] = value
    return None


def pop_number(rest: dict[str, Any], key: str) -> float | None:
    """Pop a number; ``True`` is not taken for one."""
    value = rest.pop(key, None)
    if value is None or type(value) is float or type(value) is int:
        return value
    rest[key] = value
    return None


def pop_boolean(rest: dict[str, Any], key: str) -> bool | None:
    """Pop a boolean; ``1`` is not taken for one."""
    value = rest.pop(key, None)
    if value is None or type(value) is bool:
        return value
    rest[key] = value
    return None


def pop_auto_integer(rest: dict[str, Any], key: str) -> int | Auto | None:
    """Pop ``"auto"`` or a whole number; some servers write 4 as ``4.0``, which is taken as 4."""
    value = rest.pop(key, None)
    if value is None or type(value) is int:
        return value
    if isinstance(value, str) and value == "auto":
        return AUTO
    if type(value) is float and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return int(value)
    rest[key] = value
    return None


def pop_auto_number(rest: dict[str, Any], key: str) -> float | Auto | None:
    """Pop ``"auto"`` or a number."""
    value = rest.pop(key, None)
    if value is None or type(value) is float or type(value) is int:
        return value
    if isinstance(value, str) and value == "auto":
        return AUTO
    rest[key] = value
    return None


def pop_object(rest: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Pop an object whose values may be anything."""
    value = rest.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (dict, Mapping)):  # asking for a dict first costs a third
        return dict(value)
    rest[key] = value
    return None


def pop_texts(rest: dict[str, Any], key: str) -> list[str] | None:
    """Pop an array of texts."""
    value = rest.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value):
        return list(value)
    rest[key] = value
    return None


def pop_numbers(rest: dict[str, Any], key: str) -> list[float] | None:
    """Pop an array of numbers."""
    value = rest.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(type(one) in {int, float} for one in value):
        return list(value)
    rest[key] = value
    return None


def pop_model(rest: dict[str, Any], key: str, read: Callable[[Any], T]) -> T | None:
    """Pop an object that `read` makes a model of."""
    value = rest.pop(key, None)
    if value is None:
        return None
    try:
        return read(value)
    except DecodeError:
        rest[key] = value
        return None


def pop_models(rest: dict[str, Any], key: str, read: Callable[[Any], T]) -> list[T] | None:
    """Pop an array of objects; one that cannot be read makes the whole array stay."""
    value = rest.pop(key, None)
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        try:
            return list(map(read, value))
        except DecodeError:
            pass
    rest[key] = value
    return None


def to_plain(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return the JSON form of a model, or of dicts and lists that hold models at any place."""
    if value is None or type(value) in _ATOMS:
        return value
    if isinstance(value, APIObject):
        return value.to_dict()
    if isinstance(value, Auto):
        return "auto"
    if not depth:
        return value
    if isinstance(value, (list, tuple)):
        return [to_plain(one, depth - 1) for one in value]
    if isinstance(value, Mapping):
        return {key: to_plain(one, depth - 1) for key, one in value.items()}
    return value


def copy_object(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Copy an object whose values may be anything, so that changing one leaves the other."""
    return value if value is None else dict(value)


def write_fields(fields: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not `None`, and the keys of `extra` that no field has."""
    written = {key: value for key, value in fields.items() if value is not None}
    if extra:
        for key, value in extra.items():
            written.setdefault(key, value)
    return written
