"""How values look in messages and reprs: never long, never deep."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["short"]

LONGEST = 240
"""Characters of a value that is shown."""


def short(value: Any) -> str:
    """Show a value in a line at most; what is too long or too deep is cut."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number of thousands of digits"


_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
_SHORT.maxother = LONGEST
_SHORT.maxlong = 40
