"""A file that appears whole or not at all, and never in place of another one unasked."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from finetune_client.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DRAFTS", "refuse_existing", "replacing", "settle"]

DRAFTS = ".finetune-*.part"
"""The names of the new files; one whose process was killed stays, and nobody needs it."""


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """Open a new file beside ``path`` that takes its place when the block ends well.

    Until then ``path`` is what it was; if the block raises, whatever it raises, the new file is
    removed. What was written is on the disk before it takes its place.

    Args:
        path: The file to be replaced, or to be made.
        overwrite: Replace a file that is there; it is looked for before and after the block.

    Raises:
        FileExistsError: There is a file at ``path``, and it is not to be overwritten.
        RequestError: ``path`` is a directory, or a device that must not be replaced.
        OSError: The new file cannot be made.
    """
    refuse_existing(path, overwrite=overwrite)
    target = Path(os.path.realpath(path))  # Path.resolve raises at a link to itself
    if target.exists() and not target.is_file():
        raise RequestError(f"{os.fspath(path)!r} is not a regular file; give the path of a file.")
    fresh = target.with_name(DRAFTS.replace("*", secrets.token_hex(8)))
    try:
        with _opened(fresh, path) as file:
            if target.exists():
                shutil.copymode(target, fresh)
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_existing(path, overwrite=overwrite)
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):
            fresh.chmod(0o600)  # Windows removes no file that is read-only, as the target may be
        fresh.unlink(missing_ok=True)
        raise
    settle(target.parent)


def _opened(fresh: Path, path: str | os.PathLike[str]) -> IO[bytes]:
    """Open the new file; an error names ``path``, which the caller knows."""
    try:
        return fresh.open("xb")
    except OSError as error:
        error.filename = os.fspath(path)
        raise


def refuse_existing(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise `FileExistsError` if ``path`` is there and is not to be overwritten."""
    if not overwrite and Path(path).exists():
        message = "The file is there already; pass overwrite=True to replace it"
        raise FileExistsError(errno.EEXIST, message, os.fspath(path))


def settle(folder: str | os.PathLike[str]) -> None:
    """Put a change of the names in a folder on the disk, where the system has a way to."""
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
