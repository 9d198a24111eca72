"""One writer at a time in an archive, and nothing else's folder taken for one."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from finetune_client.archive import layout
from finetune_client.atomic_file import DRAFTS
from finetune_client.errors import RequestError
from finetune_client.file_lock import LockFile

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["locked"]


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a folder alone, and remove what a killed process has left unfinished in it.

    Raises:
        RequestError: It holds something else than an archive, or is held by another process.
        OSError: It cannot be used.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    foreign = next((one.name for one in root.iterdir() if not _is_ours(one.name)), None)
    if foreign is not None and not (root / layout.INDEX).is_file():
        raise RequestError(
            f"The folder {str(root)!r} is not an archive: it has {foreign!r} in it and no "
            f"{layout.INDEX}. Give a new or an empty folder."
        )
    if os.name == "posix":
        root.chmod(0o700)
    lock = LockFile(root / layout.LOCK)
    if not lock.acquire():
        raise RequestError(
            f"Another process is writing to the archive {str(root)!r}; wait until it has ended."
        )
    try:
        for draft in (*root.glob(DRAFTS), *root.glob(f"*/{DRAFTS}")):
            draft.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _is_ours(name: str) -> bool:
    """Return whether a file may be there before the index is: nothing else is written so early."""
    return name == layout.LOCK or Path(name).match(DRAFTS)
