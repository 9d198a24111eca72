"""One server at a time in a directory: a lock that the system releases when a server is killed."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lock_directory", "unlock_directory"]

_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
"""The errors for a lock that is held; any other error means a file system without locks."""


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
        _lock(handle)
    except OSError as error:
        os.close(handle)
        if error.errno in _HELD:
            message = "Another server is using this directory; close it first, or give another one"
            raise BlockingIOError(errno.EAGAIN, message, str(directory)) from None
        return None
    return handle


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def unlock_directory(handle: int | None, owner: int) -> None:
    """Release a lock of the process ``owner``; a fork of it only closes its own descriptor."""
    if handle is None:
        return
    if sys.platform != "win32" and os.getpid() == owner:
        fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)
