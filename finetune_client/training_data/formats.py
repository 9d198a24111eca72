"""The formats of training files, which method trains on which, and how a format is detected.

https://platform.openai.com/docs/guides/fine-tuning
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FORMATS",
    "METHODS",
    "Format",
    "FormatName",
    "detect_format",
    "format_of",
    "format_with_grader",
]

FormatName = Literal["chat", "completions", "preference", "reinforcement"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One kind of example.

    Attributes:
        name: What `Report.format` holds.
        method: The method that trains on it.
        example: What a message calls one.
        keys: The keys that a line may have.
        roles: The roles that its messages may have.
        open: Further keys are for the grader.
        most: How many examples a training file may hold, if that is known.
        most_validation: The same for a validation file.
    """

    name: FormatName
    method: str
    example: str
    keys: frozenset[str]
    roles: tuple[str, ...] = ()
    open: bool = False
    most: int | None = None
    most_validation: int | None = None


_CHAT_ROLES = ("system", "developer", "user", "assistant", "tool", "function")

FORMATS: Mapping[FormatName, Format] = {
    "chat": Format(
        name="chat",
        method="supervised",
        example="a chat example",
        keys=frozenset({"messages", "tools", "parallel_tool_calls", "functions"}),
        roles=_CHAT_ROLES,
    ),
    "completions": Format(
        name="completions",
        method="supervised",
        example="a pair of prompt and completion",
        keys=frozenset({"prompt", "completion"}),
    ),
    "preference": Format(
        name="preference",
        method="dpo",
        example="a preference example",
        keys=frozenset(
            {
                "input",
                "preferred_output",
                "non_preferred_output",
                "preferred_completion",
                "non_preferred_completion",
            }
        ),
        roles=_CHAT_ROLES,
    ),
    "reinforcement": Format(
        name="reinforcement",
        method="reinforcement",
        example="a reinforcement example",
        keys=frozenset({"messages", "tools"}),
        roles=("developer", "user", "assistant", "tool"),
        open=True,
        most=50_000,
        most_validation=1_000,
    ),
}

METHODS: Mapping[str, tuple[FormatName, ...]] = {
    "supervised": ("chat", "completions"),
    "dpo": ("preference",),
    "reinforcement": ("reinforcement",),
}
"""A method and the formats it trains on; the first is taken where a file does not tell."""

_SAMPLE = 100
"""Lines from which the format of a file is detected."""


def format_of(example: Mapping[str, Any]) -> FormatName | None:
    """Return a line's format by its keys; chat and reinforcement examples are both ``chat``.

    A key that is null does not count: a table of lines of two formats has the keys of both.
    """
    if example.get("messages") is not None:
        return "chat"
    keys = [key for key, value in example.items() if value is not None]
    if not FORMATS["preference"].keys.isdisjoint(keys):
        return "preference"
    if not FORMATS["completions"].keys.isdisjoint(keys):
        return "completions"
    return None


def detect_format(lines: Iterable[bytes | None], among: tuple[FormatName, ...]) -> FormatName:
    """Return the format that most of the first lines have, else the first of `among`."""
    numbers: Counter[FormatName] = Counter()
    for line in itertools.islice(lines, _SAMPLE):
        found = None if line is None else _format_of_line(line)
        if found in among:
            numbers[found] += 1
    return numbers.most_common(1)[0][0] if numbers else among[0]


def _format_of_line(line: bytes) -> FormatName | None:
    try:
        example = json.loads(line.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        return None
    return format_with_grader(example) if isinstance(example, dict) else None


def format_with_grader(example: Mapping[str, Any]) -> FormatName | None:
    """Return the format of an example by its keys, and by its last message if it has messages."""
    found = format_of(example)
    return "reinforcement" if found == "chat" and _is_for_a_grader(example) else found


def _is_for_a_grader(example: Mapping[str, Any]) -> bool:
    """Return whether an example ends with the user's message and has keys for a grader."""
    messages = example["messages"]
    last = messages[-1] if isinstance(messages, list) and messages else None
    asked = isinstance(last, dict) and last.get("role") == "user"
    keys = (key for key, value in example.items() if value is not None)
    return asked and not FORMATS["chat"].keys.issuperset(keys)
