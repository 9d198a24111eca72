"""How values look in messages and reprs: never long, never deep."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["counted", "format_value", "short_repr"]

_LONGEST = 240
"""Characters of the repr of any other object."""

_TINY = 1e-9
"""Numbers below are written with an exponent."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s unless there is one: ``1,200 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_value(value: Any) -> str:
    """Return a value as messages show it."""
    return _decimal(value) if type(value) is float else short_repr(value)


def _decimal(value: float) -> str:
    """Format a number as people do: 0.00001, not 1e-05."""
    text = short_repr(value)
    return f"{value:.10f}".rstrip("0") if "e-" in text and abs(value) >= _TINY else text


def short_repr(value: Any) -> str:
    """Return the repr of a value in at most one line; what is too long or too deep is cut."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number of thousands of digits"


_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
_SHORT.maxother = _LONGEST
_SHORT.maxlong = 40
