"""Where the bytes of a training file come from."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeAlias

from finetune_client.errors import RequestError, TrainingDataError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Source", "name_of", "opened", "size_of", "unreadable"]

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]"
"""A path, the bytes themselves, or a file that is open for reading in binary mode."""


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """Open a source, and close it again if it was not open before.

    Raises:
        TrainingDataError: There is no such file, or it cannot be read.
        RequestError: It is none of these, or a file that is open in text mode.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        with _open(source) as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise RequestError(
            "A training file is given as a path, as bytes, or as a file that is open in binary "
            f"mode, got {source!r}."
        )


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return open(path, "rb")  # noqa: PTH123 - a str will do; the caller closes it
    except OSError as wrong:
        raise unreadable(path, (wrong.strerror or str(wrong)).lower()) from wrong
    except ValueError as wrong:  # a null character
        raise unreadable(path, str(wrong)) from wrong


def unreadable(path: Source, reason: str) -> TrainingDataError:
    """Say why a file cannot be read."""
    return TrainingDataError(
        f"The training file {name_of(path)} cannot be read: {reason}. "
        "Check the path and its permissions."
    )


def name_of(source: Source) -> str:
    """Name a source for people."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    return str(getattr(source, "name", "an open file"))


def size_of(file: IO[bytes]) -> int | None:
    """Tell how many bytes are still to be read, where that can be known."""
    try:
        position = file.tell()
        size = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (OSError, AttributeError):
        return None
    return size - position
