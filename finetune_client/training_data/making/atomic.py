"""Files that appear whole or not at all, and never in place of another one unasked."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from finetune_client.atomic_file import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["refuse_existing", "whole_file"]


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[IO[bytes]]:
    """Write a file beside `path` that takes its name when the block ends without an exception.

    Raises:
        FileExistsError: There is a file of that name, and it is not to be overwritten.
        RequestError: `path` is a directory or a device.
    """
    refuse_existing(path, overwrite=overwrite)
    with replacing(path) as file:
        yield file
        refuse_existing(path, overwrite=overwrite)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise `FileExistsError` if `path` is there and is not to be overwritten."""
    if not overwrite and path.exists():
        message = "The file is there already; pass overwrite=True to replace it"
        raise FileExistsError(errno.EEXIST, message, str(path))
