"""One server at a time in a directory: a lock that the system takes back from a killed server."""

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

__all__ = ["claim", "release"]

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
"""What a system says of a lock that is held; anything else is a file system without locks."""


def claim(directory: Path) -> int | None:
    """Lock the file ``lock`` in a directory, and give its descriptor, for `release`.

    Returns:
        The descriptor; `None` on a file system without locks.

    Raises:
        BlockingIOError: Another server has locked it, in this process or in another.
        OSError: There can be no such file.
    """
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle)
    except OSError as error:
        os.close(handle)
        if error.errno in _TAKEN:
            told = "Another server is using this directory; close it first, or give another one"
            raise BlockingIOError(errno.EAGAIN, told, str(directory)) from None
        return None
    return handle


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def release(handle: int | None, owner: int) -> None:
    """End a lock of the process ``owner``; a fork of it only forgets its own descriptor."""
    if handle is None:
        return
    if sys.platform != "win32" and os.getpid() == owner:
        fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)
