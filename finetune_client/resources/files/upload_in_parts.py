"""A large file sent in parts: from several threads, resumed, put together, checked."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from finetune_client.errors import APIStatusError, FineTuneError, IntegrityError
from finetune_client.resources.files.parallel import Stop, run_in_threads
from finetune_client.resources.files.sources import Slice
from finetune_client.resources.files.upload_state import UploadState, load_state

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from finetune_client.models import Upload
    from finetune_client.resources.files.parallel import Task
    from finetune_client.resources.files.progress import OnProgress
    from finetune_client.resources.files.sources import Source
    from finetune_client.resources.files.upload_state import UploadTarget

__all__ = ["FilePart", "FileUpload", "UploadCalls"]

_log = logging.getLogger("finetune_client")

_FINAL_STATUSES: Final = frozenset({400, 404, 409, 410, 413, 422})
"""Statuses after which an upload cannot be resumed: it is gone, or will be refused again."""

_HASH_BLOCK: Final = 1024 * 1024
"""Bytes hashed at a time: each block costs a wait for the interpreter's lock."""


class UploadCalls(Protocol):
    """The calls of the API that send a file in parts."""

    def create(self) -> Upload:
        """Create the upload."""

    def send_part(self, upload_id: str, part: FilePart, stop: Stop) -> str:
        """Send a part and return its id."""

    def complete(self, upload_id: str, part_ids: list[str], md5: str | None) -> Upload:
        """Put the file together."""

    def cancel(self, upload_id: str) -> None:
        """Cancel the upload."""


class FilePart(Slice):
    """A part of the file; reading it ends when the other parts are told to stop.

    Attributes:
        on_progress: Called with ``(sent, size)`` of this part.
    """

    def __init__(
        self, source: Source, offset: int, size: int, stop: Stop, on_progress: OnProgress
    ) -> None:
        super().__init__(source, offset, size)
        self.on_progress = on_progress
        self._stop = stop

    def blocks(self) -> Iterator[bytes]:
        """Read it in blocks until ``stop`` is set."""
        for block in super().blocks():
            self._stop.check()
            yield block


class _TotalProgress:
    """Adds up the progress of the parts, which comes from several threads."""

    def __init__(self, on_progress: OnProgress, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._bytes_sent = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count bytes; a negative number when a part is sent again."""
        with self._lock:
            self._bytes_sent += size
            self._on_progress(self._bytes_sent, self._total)

    def of_part(self) -> OnProgress:
        """Return the function to call with the progress of one part."""
        known = 0

        def on_progress(sent: int, _size: int) -> None:
            nonlocal known
            known, change = sent, sent - known
            self.add(change)

        return on_progress


@dataclass(kw_only=True)
class FileUpload:
    """One file that is sent in parts and put together.

    Attributes:
        calls: The calls of the API.
        source: The file.
        target: What it is and where it goes.
        workers: Parts that are sent at the same time.
        on_progress: Called with ``(sent, total)``.
        state_path: Where its state is kept, if it is to be resumable.
        now: Unix time in seconds.
        md5: The file's MD5 in hexadecimal, if it is known already; False to send none.
        stop: Tells all threads to stop.
    """

    calls: UploadCalls
    source: Source
    target: UploadTarget
    workers: int
    on_progress: OnProgress
    now: float
    state_path: str | os.PathLike[str] | None = None
    md5: str | Literal[False] | None = None
    stop: Stop = field(default_factory=Stop)

    def run(self) -> Upload:
        """Send what is missing, put it together and return the completed upload.

        Raises:
            IntegrityError: The file changed.
            FineTuneError: A call failed.
        """
        state = self._load_or_create()
        try:
            md5 = self._send_parts(state)
            self.source.check()
            upload = self._complete(state, md5)
        except BaseException as error:
            if self.state_path is None or _is_final(error):
                self._cancel(state)
            raise
        self._delete_state()
        return upload

    def _load_or_create(self) -> UploadState:
        if self.state_path is not None:
            known = load_state(self.state_path, self.target, self.now)
            if known is not None:
                return known
        upload = self.calls.create()
        ends = None if upload.expires is None else upload.expires.timestamp()
        state = UploadState(target=self.target, upload_id=upload.id, expires_at=ends)
        try:
            self._save(state)
        except BaseException:
            self._cancel(state)
            raise
        return state

    def _send_parts(self, state: UploadState) -> str | None:
        """Send the parts that are missing, and read the file once for its MD5 meanwhile."""
        digest: list[str | None] = [] if self.md5 is None else [self.md5 or None]
        progress = _TotalProgress(self.on_progress, self.source.size)
        sizes = dict(enumerate(_part_sizes(self.source.size, self.target.part_size)))
        missing = [number for number in sizes if number not in state.parts]
        progress.add(self.source.size - sum(sizes[number] for number in missing))
        tasks = [self._part_task(state, number, sizes[number], progress) for number in missing]
        hashing: list[Task] = [] if digest else [(self._hash, digest.append)]
        run_in_threads(tasks, self.workers, self.stop, beside=hashing)
        return digest[0]

    def _part_task(
        self, state: UploadState, number: int, size: int, progress: _TotalProgress
    ) -> Task:
        offset = number * self.target.part_size
        part = FilePart(self.source, offset, size, self.stop, progress.of_part())

        def send() -> str:
            self.stop.check()
            return self.calls.send_part(state.upload_id, part, self.stop)

        def remember(part_id: str) -> None:
            state.parts[number] = part_id
            self._save(state)

        return send, remember

    def _hash(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        at = 0
        while at < self.source.size:
            self.stop.check()
            block = self.source.read_at(at, _HASH_BLOCK)
            if not block:
                raise self.source.changed(at)
            digest.update(block)
            at += len(block)
        return digest.hexdigest()

    def _complete(self, state: UploadState, md5: str | None) -> Upload:
        tried_before, state.completing = state.completing, True
        self._save(state)
        try:
            ids = [state.parts[number] for number in sorted(state.parts)]
            return self.calls.complete(state.upload_id, ids, md5)
        except APIStatusError as error:
            if not tried_before or error.status_code not in _FINAL_STATUSES:
                raise
            raise IntegrityError(
                f"The outcome of an earlier request to complete the upload {state.upload_id!r} is "
                f"unknown; now the server says: {error.message} Look for the file with "
                "files.find(path) before you send it again.",
                outcome="ambiguous",
                status_code=error.status_code,
                request_id=error.request_id,
            ) from None

    def _cancel(self, state: UploadState) -> None:
        self._delete_state()
        try:
            self.calls.cancel(state.upload_id)
        except FineTuneError as error:
            _log.warning(
                "the upload %s could not be cancelled and will expire by itself: %s",
                state.upload_id,
                error.message,
            )

    def _save(self, state: UploadState) -> None:
        if self.state_path is not None:
            state.save(self.state_path)

    def _delete_state(self) -> None:
        if self.state_path is not None:
            Path(self.state_path).unlink(missing_ok=True)


def _part_sizes(size: int, part_size: int) -> list[int]:
    whole, rest = divmod(size, part_size)
    return [part_size] * whole + [rest] * bool(rest)


def _is_final(error: BaseException) -> bool:
    """Return whether an upload cannot be resumed after an error.

    An `IntegrityError` without a path is about the file, not about an exchange with the server.
    """
    if isinstance(error, APIStatusError):
        return error.status_code in _FINAL_STATUSES
    return isinstance(error, IntegrityError) and error.path is None
