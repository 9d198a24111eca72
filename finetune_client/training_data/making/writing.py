"""Typed examples, or plain dicts, to a JSONL file."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from finetune_client.atomic_file import replacing
from finetune_client.errors import TrainingDataError
from finetune_client.plain_json import LONGEST_INTEGER, find_unwritable, is_unicode

if TYPE_CHECKING:
    from finetune_client.plain_json import Unwritable

__all__ = ["Example", "TypedExample", "example_dict", "jsonl_line", "write_jsonl"]


class TypedExample(Protocol):
    """A `ChatExample`, `CompletionExample`, `PreferenceExample` or `ReinforcementExample`."""

    def to_dict(self) -> dict[str, Any]: ...


Example: TypeAlias = Mapping[str, Any] | TypedExample

# Legal in JSON, but readers that split text at every line boundary of Unicode break there.
_BOUNDARIES = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write_jsonl(
    path: str | os.PathLike[str], examples: Iterable[Example], *, overwrite: bool = False
) -> int:
    """Write one example a line, as UTF-8, and tell how many there were.

    The file appears when all of it is written; if an example cannot be written, or the iterable raises,
    nothing appears.

    Args:
        path: Where to.
        examples: Models such as `ChatExample`, or plain dicts; each is asked for only once.
        overwrite: Replace a file of that name.

    Raises:
        TrainingDataError: An example holds what JSON cannot; ``problems`` lists the places.
        FileExistsError: There is a file of that name, and ``overwrite`` is not set.
    """
    count = 0
    with replacing(Path(path), overwrite=overwrite) as file:
        for count, example in enumerate(examples, 1):
            file.write(jsonl_line(example, count))
    return count


def jsonl_line(example: Example, number: int) -> bytes:
    """Return the line of an example, the `number`-th of its file, with its line feed.

    Raises:
        TrainingDataError: It holds what JSON cannot; ``problems`` lists the places.
    """
    value = example_dict(example, number)
    try:
        problems = [] if _is_plain(value) else [*map(_problem, find_unwritable(value))]
    except RecursionError:
        problems = ["the example: it is nested too deeply, or holds itself"]
    if problems:
        raise TrainingDataError(
            f"Example {number} cannot be written as JSON: {'; '.join(problems)}.",
            problems=problems,
        )
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for boundary, escape in _BOUNDARIES.items():
        text = text.replace(boundary, escape)
    return text.encode() + b"\n"


def example_dict(example: Example, number: int) -> dict[str, Any]:
    """Return the JSON form of an example, the `number`-th of its file.

    Raises:
        TrainingDataError: It is neither a model nor a mapping.
    """
    given: Any = example
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, type) and callable(getattr(given, "to_dict", None)):
        return dict(given.to_dict())
    raise TrainingDataError(
        f"Example {number} must be a model such as ChatExample or a dict, got {given!r}."
    )


def _is_plain(value: Any) -> bool:
    """Return whether JSON can hold a value; quick, and no more than a hint if it says no."""
    kind = type(value)
    if kind is str:
        return is_unicode(value)
    if kind is dict:
        return all(
            type(key) is str and is_unicode(key) and _is_plain(item) for key, item in value.items()
        )
    if kind is list:
        return all(map(_is_plain, value))
    if kind is float:
        return math.isfinite(value)
    return value is None or kind is bool or (kind is int and value.bit_length() <= LONGEST_INTEGER)


def _problem(unwritable: Unwritable) -> str:
    path, reason, value = unwritable
    if reason == "unicode":
        return f"{path}: half of a surrogate pair, which UTF-8 cannot hold"
    if reason == "finite":
        return f"{path}: {value!r} is not a number that JSON has"
    if reason == "long":
        return f"{path}: a number of thousands of digits, which readers of JSON refuse"
    if reason == "type":
        return f"{path}: a {type(value).__name__}, which JSON does not have"
    key = f"{path or 'the example'}: the key {value!r}"
    if reason == "key":
        return f"{key} is not text"
    return f"{key} has half of a surrogate pair, which UTF-8 cannot hold"
