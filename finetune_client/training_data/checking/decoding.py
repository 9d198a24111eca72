"""A line of bytes as a JSON object, or every reason why it is not one."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.problems import json_reason, kind
from finetune_client.training_data.text_encodings import is_mostly_utf8, likely_encoding

if TYPE_CHECKING:
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["DoubledKeys", "LineDecoder", "NotANumber"]

_LONGEST_INTEGER = 4000
"""Digits; Python refuses to read an integer of more than 4300 (`sys.set_int_max_str_digits`)."""


class DoubledKeys(dict[str, Any]):
    """A JSON object that had a key more than once."""

    doubled: tuple[str, ...] = ()


class NotANumber(float):
    """``NaN``, ``Infinity`` or ``-Infinity``, which Python's reader takes and JSON does not."""


class LineDecoder:
    """Reads lines.

    `has_odd_values` says whether the last one held a `DoubledKeys` or a `NotANumber` somewhere.
    """

    def __init__(self, report_problem: ProblemCollector) -> None:
        self.has_odd_values = False
        self._report_problem = report_problem
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_integer
        )
        # What `decode` calls, without its own two calls in Python; typeshed does not name it.
        self._scan = self._decoder.scan_once  # type: ignore[attr-defined]

    def read(self, raw: bytes) -> dict[str, Any] | None:
        """Return the object that the line holds, or report why it does not hold one."""
        self.has_odd_values = False
        try:
            text = raw.decode()
            value, end = self._scan(text, 0)
            if end != len(text):
                value = self._decoder.decode(text)  # which raises: there is more after the value
        except StopIteration:
            self._report_problem("invalid_json", reason="expecting value", column=1)
        except UnicodeDecodeError as wrong:
            byte = f"{raw[wrong.start]:02X}"
            likely = None
            if self._report_problem.remaining("invalid_utf8") and not is_mostly_utf8(raw):
                likely = likely_encoding(raw)
            name = repr(likely) if likely else "..."
            self._report_problem("invalid_utf8", position=wrong.start + 1, byte=byte, encoding=name)
        except json.JSONDecodeError as wrong:
            self._report_problem("invalid_json", reason=json_reason(wrong), column=wrong.colno)
        except RecursionError:
            self._report_problem("too_deep")
        else:
            if isinstance(value, dict):
                return value
            self._report_problem("not_an_object", found=kind(value))
        return None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) == len(pairs):
            return value
        self.has_odd_values = True
        times = Counter(key for key, _ in pairs)
        doubled = DoubledKeys(value)
        doubled.doubled = tuple(key for key in value if times[key] > 1)
        return doubled

    def _constant(self, name: str) -> NotANumber:
        self.has_odd_values = True
        return NotANumber(name)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)
