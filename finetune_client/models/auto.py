"""`AUTO`: let the server choose a setting."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias, TypeVar

__all__ = ["AUTO", "Auto", "AutoOr"]

T = TypeVar("T")


class Auto(str, enum.Enum):
    """The type of `AUTO`, its only member.

    It is a `str`, so that ``AUTO`` in a plain dict is written as ``"auto"`` by any JSON writer.
    """

    AUTO = "auto"

    def __repr__(self) -> str:
        return "AUTO"

    def __str__(self) -> str:
        return "auto"


AUTO: Final = Auto.AUTO
"""The server chooses; ``None`` leaves the setting out, which is not the same. Test with ``is``."""

AutoOr: TypeAlias = T | Auto
"""``AutoOr[int]`` is a whole number or `AUTO`."""
