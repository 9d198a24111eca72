"""Blocks of bytes and records on disk. Every name on the disk is made here, none by a client."""

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

from finetune_client.local.http.errors import WireError
from finetune_client.local.storage.directory_lock import claim, release

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Blob", "Store"]

_KINDS = ("files", "jobs", "models", "permissions", "uploads")
_NAME = re.compile(r"blob-[0-9a-f]{32}")
_DRAFT = re.compile(r".+\.[0-9a-f]{8}\.new")


class Blob(io.FileIO):
    """A new file of bytes, written once; more than ``most`` bytes are refused with 413."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path, "x+")
        self.key = path.name
        self._most = most
        self._size = 0

    def write(self, data: Any) -> int:
        """Write all of ``data`` (a plain file may write less)."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        if self._size > self._most:
            raise WireError(413, f"The file is larger than {self._most} bytes, the limit here.")
        done = 0
        while done < len(view):
            done += super().write(view[done:]) or 0
        return done

    @property
    def size(self) -> int:
        """The bytes written."""
        return self._size


class Store:
    """One server's directory: ``blobs/`` and, if the directory was given, records as JSON files.

    Args:
        directory: Where things stay across runs; without it a temporary directory is used and
            removed again, and records are kept in memory only.

    Raises:
        BlockingIOError: Another server is using the directory.
        OSError: The directory cannot be used, or a record in it cannot be read.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.lasting = directory is not None
        held = None
        self._release: weakref.finalize[..., Any]
        if directory is None:
            self._root = Path(tempfile.mkdtemp(prefix="finetune-local-"))
            self._release = weakref.finalize(self, _remove, self._root, os.getpid())
        else:
            directory.mkdir(parents=True, exist_ok=True)
            self._root = directory.absolute()
            held = claim(directory)
            self._release = weakref.finalize(self, release, held, os.getpid())
        self._blobs = self._root / "blobs"
        try:
            self._blobs.mkdir(exist_ok=True)
            if held is not None:
                self._sweep()
        except BaseException:
            self.close()
            raise

    def _sweep(self) -> None:
        """Remove what a killed server left: half records, and blobs that no record names."""
        kept: set[str] = set()
        for path in (path for kind in _KINDS for path in self._root.glob(f"{kind}/*")):
            if _DRAFT.fullmatch(path.name):
                path.unlink()
            elif path.suffix == ".json":
                kept.update(_NAME.findall(json.dumps(_read(path))))
        for blob in self._blobs.iterdir():
            if _NAME.fullmatch(blob.name) and blob.name not in kept:
                self.drop(blob.name)

    def blob(self, most: int) -> Blob:
        """Open a new, empty blob for writing."""
        return Blob(self._blobs / f"blob-{secrets.token_hex(16)}", most)

    def put(self, data: bytes) -> str:
        """Keep ``data`` and give the key it can be found by."""
        with self.blob(len(data)) as blob:
            blob.write(data)
        return blob.key

    def path(self, key: str) -> Path:
        """Say where the blob of ``key`` is."""
        if not _NAME.fullmatch(key):
            raise ValueError(f"{key!r} is not the key of a blob")
        return self._blobs / key

    def drop(self, key: str) -> None:
        """Remove a blob. On Windows one that is being read stays, until the directory goes."""
        try:
            self.path(key).unlink(missing_ok=True)
        except PermissionError:
            if os.name != "nt":
                raise

    def save(self, kind: str, record_id: str, record: Mapping[str, Any]) -> None:
        """Write a record whole or not at all; ``record_id`` is one that the server made."""
        if not self.lasting:
            return
        if not self._release.alive:  # another server may use the directory by now
            raise WireError(503, "The embedded server has been closed.", type="server_error")
        target = self._record(kind, record_id)
        target.parent.mkdir(exist_ok=True)
        draft = target.with_suffix(f".{secrets.token_hex(4)}.new")
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.replace(target)

    def forget(self, kind: str, record_id: str) -> None:
        """Remove a record."""
        if self.lasting:
            self._record(kind, record_id).unlink(missing_ok=True)

    def load(self, kind: str) -> list[dict[str, Any]]:
        """Read all records of a kind, in the order of their ids."""
        folder = self._root / kind
        paths = sorted(folder.glob("*.json")) if self.lasting else []
        return [_read(path) for path in paths]

    def _record(self, kind: str, record_id: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", record_id):
            raise ValueError(f"{record_id!r} is not an id made here")
        return self._root / kind / f"{record_id}.json"

    def close(self) -> None:
        """Remove the directory if it was a temporary one; else let other servers use it."""
        self._release()


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        told = "This record of the embedded server is damaged; put it right or remove it"
        raise OSError(errno.EILSEQ, told, str(path))
    return record


def _remove(directory: Path, owner: int) -> None:
    """Remove the directory of a process; not when a fork of it ends."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
