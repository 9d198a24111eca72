"""A file that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DRAFTS", "replacing"]

DRAFTS = ".finetune-*.part"
"""The names of the new files; one whose process was killed stays, and nobody needs it."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file beside ``path`` that takes its place when the block ends well.

    Until then ``path`` is what it was; if the block raises, whatever it raises, the new file is
    removed. What was written is on the disk before it takes its place.

    Raises:
        RequestError: ``path`` is a directory, or a device that must not be replaced.
        OSError: The new file cannot be made.
    """
    target = Path(os.path.realpath(path))  # Path.resolve raises at a link to itself
    if target.exists() and not target.is_file():
        raise RequestError(f"{os.fspath(path)!r} is not a regular file; give the path of a file.")
    fresh = target.with_name(DRAFTS.replace("*", secrets.token_hex(8)))
    try:
        with fresh.open("xb") as file:
            if target.exists():
                shutil.copymode(target, fresh)
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):
            fresh.chmod(0o600)  # Windows removes no file that is read-only, as the target may be
        fresh.unlink(missing_ok=True)
        raise
    _settle(target.parent)


def _settle(folder: Path) -> None:
    """Put a change of names on the disk, where the system has a way to."""
    if os.name != "posix":
        return
    # A folder may be one that can be written to but not read, and some network file systems have
    # no fsync of a directory; the file has taken its place all the same.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
