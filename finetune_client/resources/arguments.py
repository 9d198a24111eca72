"""Checks of arguments, before anything is sent."""

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

__all__ = ["as_directory", "as_list", "as_path", "check_arguments", "check_callable", "list_query"]


def check_arguments(action: str, *checks: Iterator[str]) -> None:
    """Refuse a call if any of its checks found a problem.

    Args:
        action: What cannot be done then, such as ``"list"``.
        checks: Checks of `finetune_client.models.checks`.

    Raises:
        RequestError: One did; `problems` has all of them.
    """
    problems = [problem for check in checks for problem in check]
    if problems:
        raise RequestError(f"Cannot {action}: {'; '.join(problems)}.", problems=problems)


def list_query(*, limit: int | None, **texts: str | None) -> list[tuple[str, str]]:
    """Return the query of a list that comes in pages.

    Raises:
        RequestError: A value is of the wrong kind, or empty.
    """
    checks = [optional_text(name, value) for name, value in texts.items()]
    check_arguments("list", *checks, number("limit", limit, LIMIT))
    return query_pairs({**texts, "limit": limit})


def as_list(value: Any) -> Any:
    """Return a list of what an iterable holds; a text, or what is not iterable, stays as it is."""
    single = isinstance(value, (str, bytes)) or not isinstance(value, Iterable)
    return value if single else list(value)


def check_callable(name: str, value: object) -> None:
    """Check an argument that is a function or `None`.

    Raises:
        RequestError: It is neither.
    """
    if value is not None and not callable(value):
        raise RequestError(f"{name} must be a function, not {type(value).__name__}.")


def as_path(value: object, name: str) -> Path:
    """Return the path of a file.

    Raises:
        RequestError: It is not a path, or is empty, or ends with a slash, as that of a folder.
    """
    path = _path_text(value, name)
    if path.endswith(("/", os.sep)):
        raise RequestError(f"{name} must be the path of a file, not of a folder, got {value!r}.")
    return Path(path)


def as_directory(value: object, name: str) -> Path:
    """Return the path of a directory.

    Raises:
        RequestError: It is not a path, or is empty.
    """
    return Path(_path_text(value, name))


def _path_text(value: object, name: str) -> str:
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path:
        given = "an empty text" if path == "" else type(value).__name__
        raise RequestError(f"{name} must be a path, not {given}.")
    return path
