"""A line of bytes as a JSON object, or every reason why it is not one."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.problems import json_reason, kind
from finetune_client.training_data.text_encodings import is_mostly_utf8, likely_encoding

if TYPE_CHECKING:
    from finetune_client.training_data.problems import ProblemCollector

__all__ = ["LONGEST_REMEMBERED", "MOST_REMEMBERED", "DoubledKeys", "LineDecoder", "NotANumber"]

LONGEST_REMEMBERED = 64 * 1024
"""Bytes of the definitions of tools that are remembered from one line to the next."""
MOST_REMEMBERED = 32
"""How many of them are."""
_MOST_SEEN = 4096
"""Hashes of ends of lines by which one that comes again is known."""
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
        self._seen_ends: set[int] = set()
        self._ends: dict[bytes, dict[str, Any]] = {}
        self._report_problem = report_problem
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=_integer
        )
        # What `decode` calls, without its own two calls in Python; typeshed does not name it.
        self._scan = self._decoder.scan_once  # type: ignore[attr-defined]

    def read(self, raw: bytes) -> dict[str, Any] | None:
        """Return the object that the line holds, or report why it does not hold one."""
        tools = raw.rfind(b'"tools":')
        if tools > 0 and (value := self._read_with_known_end(raw, tools)) is not None:
            return value
        self.has_odd_values = False
        try:
            value = self._value(raw)
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

    def _value(self, raw: bytes) -> Any:
        """Read a line; raises whatever is wrong with it."""
        text = raw.decode()
        value, end = self._scan(text, 0)
        # `decode` raises: there is more after the value.
        return value if end == len(text) else self._decoder.decode(text)

    def _read_with_known_end(self, raw: bytes, tools: int) -> dict[str, Any] | None:
        """Return the object of a line that ends with tools as lines before it do.

        Definitions of tools are most of a line that has them, and the same in most lines. An end
        that has come before is read alone once, and then only what stands before it. Both parts
        have to be JSON, and share no key: then the line is an object of all their keys. Otherwise
        the line is to be read as a whole.
        """
        # A quote after a comma and white space is not one within a text: that has a backslash.
        begin = raw.rfind(b",", 0, tools)
        end = raw[begin:]
        if begin < 0 or raw[begin + 1 : tools].strip():
            return None
        try:
            known = self._ends.get(end)
            if known is None:
                known = self._known_end(end)
            self.has_odd_values = False
            value = self._value(raw[:begin] + b"}") if known else None
        except (StopIteration, ValueError, RecursionError):
            return None
        # A part without keys would leave a comma that nothing stands before.
        if not isinstance(value, dict) or not value or not known or value.keys() & known.keys():
            return None
        value.update(known)
        return value

    def _known_end(self, end: bytes) -> dict[str, Any] | None:
        if len(end) > LONGEST_REMEMBERED:
            return None
        if hash(end) not in self._seen_ends:
            if len(self._seen_ends) >= _MOST_SEEN:
                self._seen_ends.clear()
            self._seen_ends.add(hash(end))
            return None
        self.has_odd_values = False
        keys = self._value(b'{"":0' + end)
        if self.has_odd_values or keys.pop("", None) != 0:
            return None
        if len(self._ends) >= MOST_REMEMBERED:
            self._ends.clear()
        return self._ends.setdefault(end, keys)

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
