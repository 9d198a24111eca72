"""Blobs and records on disk. Every file name is made here, never by a client."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_client.atomic_file import DRAFTS, replacing
from finetune_client.local.storage.directories import remove_directory, write_directory
from finetune_client.local.storage.directory_lock import lock_directory, unlock_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Blob", "BlobTooLargeError", "Store", "StoreClosedError", "system_reason"]

_KINDS = ("files", "jobs", "models", "permissions", "uploads")
_KEY = re.compile(r"(?:blob|model)-[0-9a-f]{32}")
_RECORD_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class BlobTooLargeError(Exception):
    """More was written to a blob than its limit allows."""


class StoreClosedError(Exception):
    """A record was to be saved after the store had been closed."""


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
    """One server's directory: ``blobs/`` and, if the directory was given, records as JSON files.

    Args:
        directory: Where everything stays across runs; without it a temporary directory holds the
            blobs, and records are not saved.

    Raises:
        BlockingIOError: Another server is using the directory.
        OSError: The directory cannot be used, or a record in it cannot be read.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._is_lasting = directory is not None
        lock = None
        self._release: weakref.finalize[..., Any]
        if directory is None:
            self._root = Path(tempfile.mkdtemp(prefix="finetune-local-"))
            self._release = weakref.finalize(self, _remove, self._root, os.getpid())
        else:
            directory.mkdir(parents=True, exist_ok=True)
            self._root = directory.absolute()
            lock = lock_directory(directory)
            self._release = weakref.finalize(self, unlock_directory, lock, os.getpid())
        self._blobs = self._root / "blobs"
        try:
            self._blobs.mkdir(exist_ok=True)
            if lock is not None:  # without a lock, another server may be using the directory
                self._sweep()
        except BaseException:
            self.close()
            raise

    def _sweep(self) -> None:
        """Remove what a killed server has left: drafts of records, and blobs without a record."""
        kept: set[str] = set()
        unfinished: set[str] = set()
        for path in (path for kind in _KINDS for path in self._root.glob(f"{kind}/*")):
            if path.match(DRAFTS):
                path.unlink()
            elif path.suffix == ".json":
                record = _read(path)
                kept.update(_KEY.findall(json.dumps(record)))
                if path.parent.name == "jobs" and record["wire"]["finished_at"] is None:
                    unfinished.add(path.stem)
        for blob in self._blobs.iterdir():
            if _KEY.fullmatch(blob.name) and blob.name not in kept:
                self.drop(blob.name)
        for path in (*self._root.glob("models/model-*"), *self._root.glob("jobs/ftjob-*")):
            if path.is_dir() and path.name not in kept | unfinished:
                remove_directory(path)

    def blob(self, max_bytes: int) -> Blob:
        """Open a new, empty blob for writing."""
        return Blob(self._blobs / f"blob-{secrets.token_hex(16)}", max_bytes)

    def put(self, data: bytes) -> str:
        """Write ``data`` to a new blob, and return its key."""
        with self.blob(len(data)) as blob:
            blob.write(data)
        return blob.key

    def path(self, key: str) -> Path:
        """Return the path of a blob, or the directory of a model."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of this store")
        return (self._root / "models" if key.startswith("model-") else self._blobs) / key

    def put_model(self, write: Callable[[Path], None]) -> str:
        """Have ``write`` fill the directory of a new model, and return its key."""
        key = f"model-{secrets.token_hex(16)}"
        write_directory(self.path(key), write)
        return key

    def job_directory(self, job_id: str) -> Path:
        """Return the directory of what a job needs until it has ended."""
        return self._record("jobs", job_id).with_suffix("")

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

    def save(self, kind: str, record_id: str, record: Mapping[str, Any]) -> None:
        """Write a record, whole or not at all; it is on the disk when this returns.

        Raises:
            StoreClosedError: The store has been closed.
        """
        if not self._is_lasting:
            return
        if not self._release.alive:  # another server may be using the directory by now
            raise StoreClosedError("The embedded server has been closed.")
        path = self._record(kind, record_id)
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps(record).encode())

    def delete(self, kind: str, record_id: str) -> None:
        """Remove a record."""
        if self._is_lasting:
            self._record(kind, record_id).unlink(missing_ok=True)

    def load(self, kind: str) -> list[dict[str, Any]]:
        """Read all records of a kind, in the order of their ids."""
        folder = self._root / kind
        paths = sorted(folder.glob("*.json")) if self._is_lasting else []
        return [_read(path) for path in paths]

    def _record(self, kind: str, record_id: str) -> Path:
        if not _RECORD_ID.fullmatch(record_id):
            raise ValueError(f"{record_id!r} is not an id made here")
        return self._root / kind / f"{record_id}.json"

    def close(self) -> None:
        """Remove a temporary directory; let other servers use a lasting one."""
        self._release()


def system_reason(error: Exception) -> str:
    """Return the end of a sentence: why the system refused, such as a disk that is full."""
    reason = error.strerror if isinstance(error, OSError) else None
    return f": {reason}." if reason else "."


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        message = "This record of the embedded server is damaged; put it right or remove it"
        raise OSError(errno.EILSEQ, message, str(path))
    return record


def _remove(directory: Path, owner: int) -> None:
    """Remove a directory, unless a fork of the process that made it calls this."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
