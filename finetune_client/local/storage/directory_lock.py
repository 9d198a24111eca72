"""One server at a time in a directory: a lock that the system releases when a server is killed."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from finetune_client.file_lock import lock, unlock

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lock_directory", "unlock_directory"]


def lock_directory(directory: Path) -> int | None:
    """Lock the file ``lock`` in a directory.

    Returns:
        The file's descriptor, for `unlock_directory`; `None` on a file system without locks.

    Raises:
        BlockingIOError: Another server has locked it, in this process or in another.
        OSError: The file cannot be made.
    """
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        locked = lock(handle)
    except OSError:
        os.close(handle)
        return None
    if not locked:
        os.close(handle)
        message = "Another server is using this directory; close it first, or give another one"
        raise BlockingIOError(errno.EAGAIN, message, str(directory))
    return handle


def unlock_directory(handle: int | None, owner: int) -> None:
    """Release a lock of the process ``owner``; a fork of it only closes its own descriptor."""
    if handle is None:
        return
    if os.getpid() == owner:
        unlock(handle)
    os.close(handle)
