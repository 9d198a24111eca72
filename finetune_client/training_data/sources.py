"""Where the bytes of a training file come from."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, TypeAlias

from finetune_client.errors import RequestError, TrainingDataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Source",
    "name_of",
    "open_file",
    "opened",
    "refuse_irregular",
    "size_of",
    "unreadable",
]

Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, the bytes themselves, or a file that is open for reading in binary mode."""


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """Open a source, and close it again if it was not open before.

    Raises:
        TrainingDataError: There is no such file, or it cannot be read.
        RequestError: It is not one of these, or a file that is open in text mode.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        with open_file(source) as file:
            yield file
    elif hasattr(source, "read"):
        yield source
    else:
        raise RequestError(
            "A training file is given as a path, as bytes, or as a file that is open in binary "
            f"mode, got {source!r}."
        )


def open_file(path: str | os.PathLike[str], buffering: int = -1) -> io.BufferedReader:
    """Open a file to read its bytes.

    Args:
        path: The file.
        buffering: The bytes to be read at once, as many as can be peeked at.

    Raises:
        TrainingDataError: There is no such file, it cannot be read, or it is a device, which may
            have no end.
    """
    try:
        # A str will do; the caller closes it.
        file: io.BufferedReader = open(path, "rb", buffering)  # type: ignore[assignment]  # noqa: PTH123, SIM115
    except OSError as wrong:
        raise unreadable(path, (wrong.strerror or str(wrong)).lower()) from wrong
    except ValueError as wrong:  # a null character
        raise unreadable(path, str(wrong)) from wrong
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        file.close()
        raise unreadable(path, "it is a device and not a file")
    return file


def refuse_irregular(path: Path) -> None:
    """Refuse what cannot be read a second time; to open it tells of all else that is wrong.

    Raises:
        TrainingDataError: It is a pipe.
    """
    mode = 0
    with suppress(OSError, ValueError):
        mode = path.stat().st_mode
    if stat.S_ISFIFO(mode):
        raise unreadable(path, "it is not a regular file, and it has to be read more than once")


def unreadable(path: Source, reason: str) -> TrainingDataError:
    """Return why a file cannot be read."""
    return TrainingDataError(
        f"The training file {name_of(path)} cannot be read: {reason}. "
        "Check the path and its permissions."
    )


def name_of(source: Source) -> str:
    """Return what messages call a source."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    return str(getattr(source, "name", "an open file"))


def size_of(file: IO[bytes]) -> int | None:
    """Return how many bytes are still to be read, where that can be known."""
    try:
        position = file.tell()
        size = file.seek(0, os.SEEK_END)
        file.seek(position)
    except (OSError, AttributeError):
        return None
    return size - position
