"""What the types of this package have in common."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["Wire"]

LONGEST = 60
"""Characters of a text that a repr shows."""


class Wire:
    """The base of all types here: something with a JSON form and a short `repr`."""

    __slots__ = ()
    _shown: ClassVar[tuple[str, ...]] = ()
    """The fields that the repr shows, where it does not show them all."""

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form; settings that are `None` are left out."""
        raise NotImplementedError

    def __repr__(self) -> str:
        names = self._shown or tuple(getattr(self, "__dataclass_fields__", ()))
        pairs = ((name, getattr(self, name)) for name in names)
        shown = [f"{name}={_short(value)}" for name, value in pairs if _counts(name, value)]
        return f"{type(self).__name__}({', '.join(shown)})"


def _counts(name: str, value: Any) -> bool:
    return value is not None and not name.startswith("_") and (name != "extra" or bool(value))


def _short(value: Any) -> str:
    if isinstance(value, str) and len(value) > LONGEST:
        return repr(value[:LONGEST] + "…")
    return repr(value)
