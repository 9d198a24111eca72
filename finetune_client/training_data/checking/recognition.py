"""Which format a line, or the beginning of a file, has."""

from __future__ import annotations

import codecs
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from finetune_client.training_data.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from finetune_client.training_data.formats import FormatName

__all__ = ["format_of", "recognise"]

SAMPLE = 100
"""Lines that are asked for the format of a file."""


def format_of(example: dict[str, Any]) -> FormatName | None:
    """Tell a line's format by its keys; chat and reinforcement examples are both ``chat``."""
    if "messages" in example:
        return "chat"
    if not FORMATS["preference"].keys.isdisjoint(example):
        return "preference"
    if not FORMATS["completions"].keys.isdisjoint(example):
        return "completions"
    return None


def recognise(lines: Iterable[bytes | None], among: tuple[FormatName, ...]) -> FormatName:
    """Let the first lines vote; the first of `among` where they do not tell."""
    votes: Counter[FormatName] = Counter()
    for line in itertools.islice(lines, SAMPLE):
        vote = None if line is None else _vote(line)
        if vote in among:
            votes[vote] += 1
    return votes.most_common(1)[0][0] if votes else among[0]


def _vote(line: bytes) -> FormatName | None:
    try:
        example = json.loads(line.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        return None
    if not isinstance(example, dict):
        return None
    if "messages" in example and _asks(example):
        return "reinforcement"
    return format_of(example)


def _asks(example: dict[str, Any]) -> bool:
    """Tell whether an example ends with the user's message and has keys for a grader."""
    messages = example["messages"]
    last = messages[-1] if isinstance(messages, list) and messages else None
    asked = isinstance(last, dict) and last.get("role") == "user"
    return asked and not FORMATS["chat"].keys.issuperset(example)
