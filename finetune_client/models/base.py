"""What the types of this package have in common."""

from __future__ import annotations

import copyreg
from dataclasses import fields
from typing import Any, ClassVar

from finetune_client.display import short_repr

__all__ = ["APIObject"]


class APIObject:
    """The base of all types here: a JSON form, a short `repr`, and equality by fields.

    One `__eq__` for all saves what generating fifty of them costs at import.
    """

    __slots__ = ()
    _shown: ClassVar[tuple[str, ...]] = ()
    """The fields that the repr shows, where it does not show them all."""

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; settings that are `None` are left out."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = _names(self)
        return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]

    __hash__ = None  # type: ignore[assignment]  # what can change must not be a key

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with every protocol; Python itself refuses slots below the second."""
        own: Any = self
        values = {one.name: getattr(own, one.name) for one in fields(own)}
        return copyreg.__newobj__, (type(self),), (None, values)  # type: ignore[attr-defined]  # typeshed leaves it out

    def __repr__(self) -> str:
        pairs = ((name, getattr(self, name)) for name in self._shown or _names(self))
        shown = [f"{name}={short_repr(value)}" for name, value in pairs if _counts(name, value)]
        return f"{type(self).__name__}({', '.join(shown)})"


def _names(value: Any) -> list[str]:
    """Name the fields that tell two values apart."""
    return [one.name for one in fields(value) if one.compare]


def _counts(name: str, value: Any) -> bool:
    return value is not None and (name not in {"extra", "unreadable"} or bool(value))
