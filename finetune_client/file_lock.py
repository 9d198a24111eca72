"""A lock on an open file, which the system takes back from a process that is killed."""

from __future__ import annotations

import errno
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["lock", "unlock"]

_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
"""What a system says of a lock that is held; anything else is a file system without locks."""


def lock(handle: int) -> bool:
    """Lock a file; return False if it is locked, in another process or by another `os.open`.

    The lock is the open file's, which a forked child shares: it ends with `unlock` in either, or
    when both have closed it.

    Raises:
        OSError: The file system has no locks.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def unlock(handle: int) -> None:
    """Let go of a lock at once; Windows does so when the file is closed."""
    if sys.platform != "win32":
        fcntl.flock(handle, fcntl.LOCK_UN)
