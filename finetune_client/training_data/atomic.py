"""Files that appear whole or not at all, and never in place of another one unasked."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["refuse_existing", "whole_file"]


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Write a file beside `path` that takes its name when the block ends without an exception.

    Raises:
        FileExistsError: There is a file of that name, and it is not to be overwritten.
    """
    refuse_existing(path, overwrite=overwrite)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_existing(path, overwrite=overwrite)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise `FileExistsError` if `path` is there and is not to be overwritten."""
    if not overwrite and path.exists():
        message = "The file is there already; pass overwrite=True to replace it"
        raise FileExistsError(errno.EEXIST, message, str(path))
