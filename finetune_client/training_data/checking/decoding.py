"""A line of bytes as a JSON value, with every reason why it is none."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from finetune_client.training_data.problems import broken, kind

if TYPE_CHECKING:
    from finetune_client.training_data.problems import Found

__all__ = ["NOTHING", "Doubled", "LineDecoder", "NotANumber"]

LONGEST_INTEGER = 4000
"""Digits; Python refuses to read an integer of more than 4300 (`sys.set_int_max_str_digits`)."""


class _Nothing:
    """The type of `NOTHING`."""


NOTHING: Final = _Nothing()
"""What `LineDecoder.read` gives for a line that holds no example."""


class Doubled(dict[str, Any]):
    """A JSON object that had a key more than once."""

    doubled: tuple[str, ...] = ()


class NotANumber(float):
    """``NaN``, ``Infinity`` or ``-Infinity``, which Python's reader takes and JSON does not."""


class LineDecoder:
    """Reads lines completely, at a third of the speed of a bare `json.loads`.

    `odd` tells whether the last line held a `Doubled` or a `NotANumber` somewhere.
    """

    def __init__(self, found: Found) -> None:
        self.odd = False
        self._found = found
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_integer
        )

    def read(self, raw: bytes) -> Any:
        """Give the object that the line holds, or `NOTHING` after saying why it holds none."""
        self.odd = False
        text = self._text(raw)
        return NOTHING if text is None else self._value(text)

    def _text(self, raw: bytes) -> str | None:
        try:
            return raw.decode()
        except UnicodeDecodeError as wrong:
            byte = f"{raw[wrong.start]:02X}"
            self._found("invalid_utf8", position=wrong.start + 1, byte=byte)
            return None

    def _value(self, text: str) -> Any:
        try:
            value = self._decoder.decode(text)
        except json.JSONDecodeError as wrong:
            self._found("invalid_json", reason=broken(wrong), column=wrong.colno)
        except RecursionError:
            self._found("too_deep")
        else:
            if isinstance(value, dict):
                return value
            self._found("not_an_object", found=kind(value))
        return NOTHING

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        self.odd = True
        times = Counter(key for key, _ in pairs)
        doubled = Doubled(value)
        doubled.doubled = tuple(key for key in value if times[key] > 1)
        return doubled

    def _constant(self, name: str) -> NotANumber:
        self.odd = True
        return NotANumber(name)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)
