"""Leaving out examples that came before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from finetune_client.training_data.jsonl import canonical, long_digest
from finetune_client.training_data.making.writing import example_dict, jsonl_line

if TYPE_CHECKING:
    from finetune_client.training_data.making.writing import Example

__all__ = ["dedupe"]

E = TypeVar("E", bound="Example")


def dedupe(examples: Iterable[E]) -> Iterator[E]:
    """Return each example once: the first of those with the same JSON, whatever the order of keys.

    It goes along with what it is given and holds a digest of 16 bytes for each example (about
    100 bytes as Python keeps them). For a file, see `fix`.

    Raises:
        TrainingDataError: An example holds what JSON cannot; ``problems`` lists the places.
    """
    seen: set[bytes] = set()
    for number, example in enumerate(examples, 1):
        same = _digest(example, number)
        if same not in seen:
            seen.add(same)
            yield example


def _digest(example: Example, number: int) -> bytes:
    try:
        return long_digest(canonical(example_dict(example, number)))
    except (TypeError, ValueError, RecursionError):
        return long_digest(jsonl_line(example, number))  # which says what is wrong, and where
