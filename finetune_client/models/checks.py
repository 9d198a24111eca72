"""Small checks of plain JSON values; each yields what is wrong, with its path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from finetune_client.display import format_value
from finetune_client.models.codec import MAX_DEPTH
from finetune_client.plain_json import find_unwritable

if TYPE_CHECKING:
    from finetune_client.providers.request_limits import Bounds

__all__ = [
    "choice",
    "needed_object",
    "needed_text",
    "needed_texts",
    "number",
    "object_at",
    "optional_text",
    "unsendable",
]


def needed_text(at: str, value: Any, *, empty: bool = False) -> Iterator[str]:
    """Check a text that must be given, and not be empty unless `empty`."""
    if value is None:
        yield f"{at}: is missing"
    elif not isinstance(value, str):
        yield f"{at}: must be text, got {format_value(value)}"
    elif not value.strip() and not empty:
        yield f"{at}: must not be empty"


def optional_text(at: str, value: Any, *, empty: bool = False) -> Iterator[str]:
    """Check a text that may be left out, and not be empty unless `empty`."""
    if value is not None:
        yield from needed_text(at, value, empty=empty)


def choice(at: str, value: Any, known: Iterable[str]) -> Iterator[str]:
    """Check for one of some texts."""
    if value is None:
        yield f"{at}: is missing"
    elif not isinstance(value, str) or value not in known:
        yield f"{at}: must be one of {', '.join(known)}, got {format_value(value)}"


def number(at: str, value: Any, bounds: Bounds) -> Iterator[str]:
    """Check a number that may be left out."""
    problem = None if value is None else bounds.problem(value)
    if problem:
        yield f"{at}: {problem}"


def object_at(at: str, value: Any) -> Iterator[str]:
    """Check an object that may be left out."""
    if value is not None and not isinstance(value, Mapping):
        yield f"{at}: must be an object, got {format_value(value)}"


def needed_object(at: str, value: Any) -> Iterator[str]:
    """Check an object that must be given."""
    if value is None:
        yield f"{at}: is missing"
    else:
        yield from object_at(at, value)


def needed_texts(at: str, value: Any) -> Iterator[str]:
    """Check an array of texts, at least one."""
    if value is None:
        yield f"{at}: is missing"
    elif not isinstance(value, (list, tuple)) or not value:
        yield f"{at}: must be an array of texts, at least one, got {format_value(value)}"
    else:
        for place, one in enumerate(value):
            yield from needed_text(f"{at}[{place}]", one)


def unsendable(at: str, value: Any) -> Iterator[str]:
    """Check everywhere for what JSON cannot hold.

    Keys that are not text are let through: JSON writes numbers as their text.
    """
    for path, reason, found in find_unwritable(value, at, MAX_DEPTH):
        if reason == "finite":
            yield f"{path}: must be a finite number, got {format_value(found)}"
        elif reason == "unicode":
            yield f"{path}: must be valid Unicode, got {found!a}; was it read in another encoding?"
        elif reason == "unicode_key":
            yield f"{path}: each key must be valid Unicode, got {found!a}"
        elif reason != "key":
            yield f"{path}: cannot be written as JSON, got {format_value(found)}"
