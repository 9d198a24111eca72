"""What a Python value holds that JSON cannot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LONGEST_INTEGER", "Unwritable", "find_unwritable", "is_unicode"]

LONGEST_INTEGER = 13_000
"""Bits; Python writes and reads no integer of more than 4300 digits."""


class Unwritable(NamedTuple):
    """A value, or a key, that JSON cannot hold or would change.

    Attributes:
        path: Where it stands, such as ``a.b[0]``; for a key, where its object stands.
        reason: ``unicode``: text with half of a surrogate pair, which UTF-8 cannot hold;
            ``finite``: NaN or infinity; ``long``: an integer of thousands of digits; ``type``: a
            value of a type that JSON does not have; ``key`` and ``unicode_key``: a key that is not
            text, or is not text that UTF-8 can hold.
        value: The value or the key.
    """

    path: str
    reason: Literal["unicode", "finite", "long", "type", "key", "unicode_key"]
    value: Any


def find_unwritable(value: Any, path: str = "", depth: int = -1) -> Iterator[Unwritable]:
    """Find every place in a value that JSON cannot hold, or would change.

    Args:
        value: Dicts, lists and what they hold.
        path: The path that the value stands at.
        depth: How many levels are looked at; all of them if it is negative.

    Raises:
        RecursionError: All levels are to be looked at, and there are too many.
    """
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if not is_unicode(value):
            yield Unwritable(path, "unicode", value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Unwritable(path, "finite", value)
    elif isinstance(value, int):
        if value.bit_length() > LONGEST_INTEGER:
            yield Unwritable(path, "long", value)
    elif not isinstance(value, (dict, list, tuple)):
        yield Unwritable(path, "type", value)
    elif not depth:
        return
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from find_unwritable(item, f"{path}[{index}]", depth - 1)
    else:
        for key, item in value.items():
            if not isinstance(key, str):
                yield Unwritable(path, "key", key)
            elif not is_unicode(key):
                yield Unwritable(path, "unicode_key", key)
            yield from find_unwritable(item, f"{path}.{key}" if path else str(key), depth - 1)


def is_unicode(text: str) -> bool:
    """Return whether UTF-8 can hold a text; half of a surrogate pair it cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
