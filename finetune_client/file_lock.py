"""Locks on files, which the system takes back from a process that is killed."""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LockFile", "descriptors", "lock", "unlock"]

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


descriptors = threading.RLock()
"""Held while descriptors are opened or closed, so that no fork comes between."""

_held: set[LockFile] = set()
"""The locks that this process has."""


class LockFile:
    """A lock with a name: a file that exists while the lock is held, or was when its holder was killed.

    One holder at a time, of all threads and processes. A forked child does not hold it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock, by this object."""
        return self._handle is not None

    def acquire(self) -> bool:
        """Try to acquire the lock; return whether it is held now.

        Raises:
            OSError: There can be no such file, or the file system has no locks.
        """
        with descriptors:
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except PermissionError:
                if sys.platform == "win32" and self._path.parent.is_dir():
                    return False  # the file is being deleted
                raise
            try:
                if lock(handle) and self._is_named(handle):
                    self._handle = handle
                    _held.add(self)
            finally:
                if self._handle is None:
                    os.close(handle)
        return self.is_held

    def _is_named(self, handle: int) -> bool:
        """Tell whether the next process would open the same file.

        It may have been deleted, by the holder before, between being opened and being locked here.
        """
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go of the lock, if it is held, and delete the file."""
        with descriptors:
            if self._handle is None:
                return
            if sys.platform == "win32":  # deletes no file that is open, here or elsewhere
                self.close()
                self._delete()
            else:  # a file that is not locked any more may be another's
                self._delete()
                unlock(self._handle)
                self.close()

    def _delete(self) -> None:
        with suppress(OSError):
            self._path.unlink()

    def close(self) -> None:
        """Close the file, and leave a lock alone that a forked child has from its parent."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle = None
        _held.discard(self)


def _close_in_child() -> None:
    for lock_file in tuple(_held):  # or the locks would outlive the parent
        lock_file.close()
    descriptors.release()


if sys.platform != "win32":
    os.register_at_fork(
        before=descriptors.acquire,
        after_in_parent=descriptors.release,
        after_in_child=_close_in_child,
    )
