"""One server's directory. Every file name in it is made here, never by a client."""

from __future__ import annotations

import errno
import io
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import settle
from finetune_client.local.storage.database import DATABASE_FILE, Database
from finetune_client.local.storage.directories import remove_directory, write_directory
from finetune_client.local.storage.directory_lock import lock_directory, unlock_directory
from finetune_client.local.storage.job_logs import keep_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Blob", "BlobTooLargeError", "Store", "system_reason"]

_KEY = re.compile(r"(?:blob|model)-[0-9a-f]{32}")
_JOB_ID = re.compile(r"ftjob-[0-9a-f]+")
_RECORDS = ("files", "jobs", "models", "permissions", "uploads")
"""The folders in which the unreleased version kept its state."""

_SWEPT = {
    "blobs": re.compile(r"blob-[0-9a-f]{32}"),
    "models": re.compile(r"model-[0-9a-f]{32}(?:\.part)?"),
    "jobs": re.compile(r"ftjob-[0-9a-f]+"),
}
"""What is made here, by its folder; anything else that lies there is left alone."""


class BlobTooLargeError(Exception):
    """More was written to a blob than its limit allows."""


class Blob(io.FileIO):
    """A new file of bytes, written once.

    Attributes:
        key: The key by which the store finds it.

    Raises:
        BlobTooLargeError: More than ``max_bytes`` bytes are written.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(path, "x+")
        self.key = path.name
        self._max_bytes = max_bytes
        self._size = 0

    def write(self, data: Any) -> int:
        """Write all of ``data`` (a plain file may write less)."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        if self._size > self._max_bytes:
            message = f"The file is larger than {self._max_bytes} bytes, the limit here."
            raise BlobTooLargeError(message)
        done = 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        return done

    @property
    def size(self) -> int:
        """The number of bytes written."""
        return self._size


class Store:
    """One server's directory.

    It holds the database ``state.sqlite3``, the bytes of files and of parts in ``blobs/``, a
    directory for each model in ``models/``, one for each job that has not ended in ``jobs/``, and
    the logs of those that have in ``logs/``.

    Args:
        directory: Where everything stays across runs; without it a temporary directory, which
            `close` removes.

    Attributes:
        directory: Where everything is.
        database: The state.
        is_lasting: Whether the directory survives the server.

    Raises:
        BlockingIOError: Another server is using the directory.
        OSError: The directory cannot be used.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.is_lasting = directory is not None
        lock = None
        if directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="finetune-local-"))
        else:
            directory.mkdir(parents=True, exist_ok=True)
            self.directory = directory.absolute()
            lock = lock_directory(directory)
        temporary = self.directory if directory is None else None
        opened: list[Database] = []
        self._release = weakref.finalize(self, _release, opened, lock, temporary, os.getpid())
        self._blobs = self.directory / "blobs"
        try:
            _refuse_records(self.directory)
            self.database = Database(self.directory / DATABASE_FILE, is_lasting=self.is_lasting)
            opened.append(self.database)
            for folder in ("blobs", "models", "jobs"):
                (self.directory / folder).mkdir(exist_ok=True)
            if lock is not None:  # without a lock, another server may be using the directory
                self._sweep()
        except BaseException:
            self.close()
            raise

    def _sweep(self) -> None:
        """Remove what a killed server has left, and what the database does not name."""
        named = self.database.rows(
            "SELECT blob FROM files UNION SELECT blob FROM parts UNION SELECT directory FROM models"
            " UNION SELECT id FROM jobs WHERE status NOT IN ('succeeded', 'failed', 'cancelled')"
        )
        kept = {name for (name,) in named}
        for folder, pattern in _SWEPT.items():
            for path in (self.directory / folder).iterdir():
                if not pattern.fullmatch(path.name) or path.name in kept:
                    continue
                if folder == "jobs":
                    self.remove_job(path.name)
                elif path.is_dir():
                    remove_directory(path)
                else:
                    self.drop(path.name)

    def blob(self, max_bytes: int) -> Blob:
        """Open a new, empty blob for writing; `save` ends it."""
        return Blob(self._blobs / f"blob-{secrets.token_hex(16)}", max_bytes)

    def save(self, blob: Blob) -> None:
        """Close a blob that has been written, and put it on the disk."""
        if self.is_lasting and not blob.closed:
            os.fsync(blob.fileno())
            settle(self._blobs)
        blob.close()

    def put(self, data: bytes) -> str:
        """Write ``data`` to a new blob, and return its key."""
        with self.blob(len(data)) as blob:
            blob.write(data)
            self.save(blob)
        return blob.key

    def put_model(self, write: Callable[[Path], None]) -> str:
        """Have ``write`` fill the directory of a new model, and return its key."""
        key = f"model-{secrets.token_hex(16)}"
        self.put_directory(self.path(key), write)
        return key

    def put_directory(self, path: Path, write: Callable[[Path], None]) -> None:
        """Have ``write`` fill a new directory, which is at ``path`` whole or not at all."""
        write_directory(path, write, is_synced=self.is_lasting)

    def path(self, key: str) -> Path:
        """Return the path of a blob, or the directory of a model."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of this store")
        return (self.directory / "models" if key.startswith("model-") else self._blobs) / key

    def job_directory(self, job_id: str) -> Path:
        """Return the directory of what a job needs until it has ended."""
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"{job_id!r} is not the id of a job")
        return self.directory / "jobs" / job_id

    def remove_job(self, job_id: str) -> None:
        """Remove the directory of a job that has ended, but for its log."""
        directory = self.job_directory(job_id)
        keep_log(self.directory, job_id)
        remove_directory(directory)

    def drop(self, key: str) -> None:
        """Remove a blob or a model. On Windows what is being read stays until the next start."""
        if key.startswith("model-"):
            remove_directory(self.path(key))
            return
        try:
            self.path(key).unlink(missing_ok=True)
        except PermissionError:
            if os.name != "nt":
                raise

    @contextmanager
    def tentative(self, *keys: str) -> Iterator[Callable[[], None]]:
        """Remove blobs and models again if the block raises, or does not call what it is given."""
        kept: list[str] = []
        try:
            yield lambda: kept.extend(keys)
        except BaseException:
            kept.clear()
            raise
        finally:
            for key in keys:
                if key not in kept:
                    self.drop(key)

    def close(self) -> None:
        """Remove a temporary directory; let other servers use a lasting one."""
        self._release()


def system_reason(error: Exception) -> str:
    """Return the end of a sentence: why the system refused, such as a disk that is full."""
    if isinstance(error, sqlite3.Error):
        return f": {error}."
    reason = error.strerror if isinstance(error, OSError) else None
    return f": {reason}." if reason else "."


def _refuse_records(root: Path) -> None:
    if any(path for kind in _RECORDS for path in root.glob(f"{kind}/*.json")):
        message = (
            "This directory was used by a version of finetune_client before the first release, "
            "which kept its state in another way; give another directory"
        )
        raise OSError(errno.EINVAL, message, str(root))


def _release(opened: list[Database], lock: int | None, temporary: Path | None, owner: int) -> None:
    """Let go of a directory. A fork of the process that made the store only closes its lock."""
    if os.getpid() == owner:
        for database in opened:
            database.close()
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    unlock_directory(lock, owner)
