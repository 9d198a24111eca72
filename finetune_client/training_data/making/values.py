"""The values of a row or of a turn, taken out one by one, so that nothing is lost unnoticed."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from finetune_client.errors import TrainingDataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["Values", "json_text", "listed", "parsed", "shown"]


_SHOWN = 80
"""Characters of a value that a sentence shows."""


class Values:
    """The values of an object; `finish` tells which were not taken.

    Args:
        given: The object.
        ignore: Keys that may be left out. What `text`, `value` and `rows` need is taken all the same.
    """

    def __init__(self, given: Mapping[str, Any], ignore: Collection[str]) -> None:
        self._given = given
        self._ignore = (ignore,) if isinstance(ignore, str) else ignore
        self._left = dict(given)

    def take(self, key: str) -> Any:
        """Return what the object has under a key; None if it has nothing or the key is ignored."""
        value = self._left.pop(key, None)
        return None if key in self._ignore else value

    def optional_text(self, key: str) -> str:
        """Return a text; empty if there is none, or the key is ignored."""
        value = self.take(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TrainingDataError(self._unlike(key, "text", value))
        return value

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        value = self._left.pop(key, None)
        if not isinstance(value, str):
            raise TrainingDataError(self._unlike(key, "text", value))
        return value

    def value(self, key: str) -> Any:
        """Return what must be there, of whatever kind."""
        value = self._left.pop(key, None)
        if value is None:
            raise TrainingDataError(self._unlike(key, "there", value))
        return value

    def rows(self, key: str) -> list[Any]:
        """Return a list that must be there, or the JSON text of one, as in a cell of CSV."""
        given = value = self._left.pop(key, None)
        if isinstance(given, str):
            with suppress(TypeError, ValueError):
                value = parsed(given)
        if not isinstance(value, (list, tuple)):
            raise TrainingDataError(self._unlike(key, "a list", given))
        return [*value]

    def optional_rows(self, key: str) -> list[Any]:
        """Return a list, or that of a JSON text; empty if there is none, or the key is ignored."""
        is_there = self._left.get(key) and key not in self._ignore
        if not is_there:
            self._left.pop(key, None)
        return self.rows(key) if is_there else []

    def finish(self) -> None:
        """Raise `TrainingDataError` if a value is left that is not empty and not ignored."""
        empty: tuple[Any, ...] = (None, "", [], {})
        left = [
            key
            for key, value in self._left.items()
            if key not in self._ignore and value not in empty
        ]
        if not left:
            return
        has, them = ("has", "it") if len(left) == 1 else ("have", "them")
        options = " ".join(f"--ignore {key}" for key in left)
        raise TrainingDataError(
            f"{listed(left)} {has} no place in a chat example. To leave {them} out, pass "
            f"ignore={(*self._ignore, *left)!r}, or {options} on the command line."
        )

    def _unlike(self, key: str, wanted: str, value: Any) -> str:
        if key in self._given and value is not None:
            return f"{key!r} must be {wanted}, not {shown(value)}."
        return f"{key!r} is missing or null, there is only {listed(self._given)}."


def parsed(text: str) -> Any:
    """Return the value of a JSON text, or of one that Python's ``str`` wrote instead of JSON.

    Raises:
        ValueError, TypeError: It is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return json.loads(json_text(value))  # which refuses what JSON does not have, such as a set


def json_text(value: Any) -> str:
    """Write a value as JSON.

    Raises:
        TypeError, ValueError: JSON cannot hold it.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def shown(value: Any) -> str:
    """Return a value as a sentence shows it, cut short if it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def listed(keys: Iterable[Any]) -> str:
    """Return keys as a part of a sentence."""
    return ", ".join(repr(key) for key in keys) or "nothing"
