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
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, TypeVar

from finetune_client.display import short_repr
from finetune_client.errors import DecodeError
from finetune_client.models.auto import AUTO, Auto

__all__ = [
    "MAX_DEPTH",
    "NOT_A_KEY",
    "APIObject",
    "PydanticModel",
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
    "read_foreign",
    "to_plain",
    "write_fields",
]

T = TypeVar("T")

MAX_DEPTH = 64
"""Nothing in the API is half as deep; what lies deeper is handed on as it is, and not checked."""

_LARGEST_EXACT = 2**53
"""Up to here every whole number is a float."""

NOT_A_KEY: Final = MappingProxyType({"is_key": False})
"""The ``metadata`` of a dataclass field that does not stand under its name in the JSON form."""

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

    def __iter__(self) -> Iterator[Any]:
        """Yield the pairs of `model_dump`, so that ``dict(job)`` works as with the official SDK.

        What is absent is there as ``None``: wandb's logger, for one, asks for ``dict(job)["error"]``.
        """
        yield from self.model_dump().items()

    @property
    def model_extra(self) -> dict[str, Any]:
        """The keys that no field knows: ``extra``, under the name that the official SDK has."""
        own: Any = self
        return own.extra  # type: ignore[no-any-return]  # every class below has the field

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return the JSON form as the official SDK's objects do: with ``None`` for what is absent.

        Args:
            mode: ``"python"`` or ``"json"``, which are the same here.
            include: Only these keys of the object itself.
            exclude: Not these keys of the object itself.
            by_alias: Taken and not used: the names are the API's own.
            exclude_unset: Leave out what is ``None``, also further down, as `to_dict` does.
            exclude_defaults: The same.
            exclude_none: The same.
        """
        del mode, by_alias
        written = self.to_dict()
        if not (exclude_unset or exclude_defaults or exclude_none):
            self._fill_with_none(written)
        return {
            key: value
            for key, value in written.items()
            if (include is None or key in include) and (exclude is None or key not in exclude)
        }

    def _fill_with_none(self, written: dict[str, Any]) -> None:
        for one in fields(self):  # type: ignore[arg-type]  # every class below is a dataclass
            value = getattr(self, one.name)
            if value is None and one.metadata != NOT_A_KEY:
                written.setdefault(one.name, None)
            elif isinstance(value, APIObject):
                written[one.name] = value.model_dump()
            elif isinstance(value, list) and one.name in written:
                plain = written[one.name]
                if len(value) == len(plain):  # else it is a page, with rows that cannot be read
                    written[one.name] = [
                        item.model_dump() if isinstance(item, APIObject) else as_written
                        for item, as_written in zip(value, plain, strict=True)
                    ]

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return what `model_dump` returns as JSON text.

        Args:
            indent: Spaces of a level; without it all stands on one line.
            **options: As for `model_dump`.
        """
        separators = (",", ":") if indent is None else None
        dumped = self.model_dump(**options)
        return json.dumps(dumped, ensure_ascii=False, indent=indent, separators=separators)

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the JSON form as text; fields that are `None` are left out."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

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
    plain = read_foreign(value)
    return value if plain is value else to_plain(plain, depth - 1)


class PydanticModel(Protocol):
    """An object of pydantic's, such as the official SDK's: taken wherever its dict is."""

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were set; what tells it from our own models for a type checker."""

    def model_dump(self) -> dict[str, Any]:
        """Return its fields."""


def read_foreign(value: Any) -> Any:
    """Return the dict of an object that is not ours but has ``to_dict`` or ``model_dump``.

    The official SDK's ``to_dict`` leaves out what was not set; of pydantic's own models, defaults
    count and ``None`` does not. All other values are returned as they are.
    """
    if isinstance(value, (APIObject, Mapping, type)):
        return value
    if callable(to_dict := getattr(value, "to_dict", None)):
        return to_dict()
    if callable(model_dump := getattr(value, "model_dump", None)):
        return model_dump(mode="json", by_alias=True, exclude_none=True)
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
