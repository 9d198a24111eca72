"""What is asked of arguments before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.errors import RequestError
from finetune_client.models.checks import number, optional_text
from finetune_client.models.listing import LIMIT
from finetune_client.transport import query_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_call", "check_callable", "list_query", "path_of", "several"]


def check_call(what: str, *checks: Iterator[str]) -> None:
    """Refuse a call if any of ``checks`` finds a problem.

    Raises:
        RequestError: One did; `problems` has all of them.
    """
    problems = [problem for check in checks for problem in check]
    if problems:
        raise RequestError(f"Cannot {what}: {'; '.join(problems)}.", problems=problems)


def list_query(*, limit: int | None, **texts: str | None) -> list[tuple[str, str]]:
    """Give the query of a list that comes in pages.

    Raises:
        RequestError: A value is of the wrong kind, or empty.
    """
    checks = [optional_text(name, value) for name, value in texts.items()]
    check_call("list", *checks, number("limit", limit, LIMIT))
    return query_pairs({**texts, "limit": limit})


def several(value: Any) -> Any:
    """Make a list of what holds several things; one text, or one thing, stays what it is."""
    one = isinstance(value, (str, bytes)) or not isinstance(value, Iterable)
    return value if one else list(value)


def check_callable(name: str, value: object) -> None:
    """Refuse what is given as a function and is none.

    Raises:
        RequestError: It is neither a function nor `None`.
    """
    if value is not None and not callable(value):
        raise RequestError(f"{name} must be a function, not {type(value).__name__}.")


def path_of(value: object, name: str) -> Path:
    """Take the path of a file.

    Raises:
        RequestError: It is none, or empty, or ends with a slash, as that of a folder.
    """
    place = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(place, str) or not place:
        shown = "an empty text" if place == "" else type(value).__name__
        raise RequestError(f"{name} must be a path, not {shown}.")
    if place.endswith(("/", os.sep)):
        raise RequestError(f"{name} must be the path of a file, not of a folder, got {value!r}.")
    return Path(place)
