"""A large file sent in parts: from several threads, gone on with, put together, checked."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from finetune_client.errors import APIStatusError, FineTuneError, IntegrityError
from finetune_client.resources.files.parallel import Stop, run_together
from finetune_client.resources.files.rules import check_stored
from finetune_client.resources.files.sources import Slice
from finetune_client.resources.files.upload_state import UploadState, load_state

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from finetune_client.models import Upload
    from finetune_client.resources.files.parallel import Task
    from finetune_client.resources.files.progress import Report
    from finetune_client.resources.files.sources import Source
    from finetune_client.resources.files.upload_state import UploadTarget

__all__ = ["FileUpload", "Stretch", "UploadCalls"]

_log = logging.getLogger("finetune_client")

_HOPELESS: Final = frozenset({400, 404, 409, 410, 413, 422})
"""Statuses after which an upload cannot be gone on with: it is gone, or never will be right."""

_HASHED: Final = 1024 * 1024
"""Bytes hashed at a time; fewer would make the threads wait for each other."""


class UploadCalls(Protocol):
    """The calls of the API that an upload is made of."""

    def create(self) -> Upload:
        """Begin it."""

    def send(self, upload_id: str, content: Stretch, stop: Stop) -> str:
        """Send a part, and give its id."""

    def complete(self, upload_id: str, part_ids: list[str], md5: str | None) -> Upload:
        """Put the file together."""

    def cancel(self, upload_id: str) -> None:
        """Give it up."""


class Stretch(Slice):
    """A part of the file; it stops being read when the others have stopped.

    Attributes:
        report: Called with ``(sent, size)`` of this part.
    """

    def __init__(self, source: Source, offset: int, size: int, stop: Stop, report: Report) -> None:
        super().__init__(source, offset, size)
        self.report = report
        self._stop = stop

    def blocks(self) -> Iterator[bytes]:
        """Read it in blocks, as long as nobody says stop."""
        for block in super().blocks():
            self._stop.check()
            yield block


class _Tally:
    """Adds up what the parts report, from whatever thread."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._sum = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count bytes; fewer than none when a part begins anew."""
        with self._lock:
            self._sum += size
            self._report(self._sum, self._total)

    def part(self) -> Report:
        """Make the function that one part reports to."""
        known = 0

        def report(sent: int, _size: int) -> None:
            nonlocal known
            known, change = sent, sent - known
            self.add(change)

        return report


@dataclass(kw_only=True)
class FileUpload:
    """One file, from the first byte to the answer that it is there.

    Attributes:
        calls: The calls of the API.
        source: The file.
        target: What it is and where it goes.
        workers: Parts that are sent at the same time.
        report: Called with ``(sent, total)``.
        state_path: Where its state is kept, if it can be gone on with.
        now: Unix time in seconds.
        md5: The file's MD5 in hexadecimal, if it is known already; False to send none.
        stop: Says to all threads that they are to stop.
    """

    calls: UploadCalls
    source: Source
    target: UploadTarget
    workers: int
    report: Report
    now: float
    state_path: str | os.PathLike[str] | None = None
    md5: str | Literal[False] | None = None
    stop: Stop = field(default_factory=Stop)

    def run(self) -> Upload:
        """Send what is missing and put it together.

        Raises:
            IntegrityError: The file changed, or the server has another number of bytes.
            FineTuneError: As the calls raise.
        """
        state = self._begin()
        try:
            md5 = self._send(state)
            self.source.check()
            upload = self._complete(state, md5)
        except BaseException as error:
            if self.state_path is None or _is_hopeless(error):
                self._give_up(state)
            raise
        self._forget()
        if upload.file is not None:
            check_stored(upload.file, self.source.size)
        return upload

    def _begin(self) -> UploadState:
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
            self._give_up(state)
            raise
        return state

    def _send(self, state: UploadState) -> str | None:
        """Send the parts that are missing, and read the file once for its MD5 meanwhile."""
        digest: list[str | None] = [] if self.md5 is None else [self.md5 or None]
        tally = _Tally(self.report, self.source.size)
        sizes = dict(enumerate(_sizes(self.source.size, self.target.part_size)))
        missing = [number for number in sizes if number not in state.parts]
        tally.add(self.source.size - sum(sizes[number] for number in missing))
        tasks = [self._part(state, number, sizes[number], tally) for number in missing]
        hashing: list[Task] = [] if digest else [(self._hash, digest.append)]
        run_together(tasks, self.workers, self.stop, beside=hashing)
        return digest[0]

    def _part(self, state: UploadState, number: int, size: int, tally: _Tally) -> Task:
        offset = number * self.target.part_size
        content = Stretch(self.source, offset, size, self.stop, tally.part())

        def send() -> str:
            self.stop.check()
            return self.calls.send(state.upload_id, content, self.stop)

        def arrived(part_id: str) -> None:
            state.parts[number] = part_id
            self._save(state)

        return send, arrived

    def _hash(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        at = 0
        while at < self.source.size:
            self.stop.check()
            block = self.source.read_at(at, _HASHED)
            if not block:
                raise self.source.changed(at)
            digest.update(block)
            at += len(block)
        return digest.hexdigest()

    def _complete(self, state: UploadState, md5: str | None) -> Upload:
        asked_before, state.completing = state.completing, True
        self._save(state)
        try:
            ids = [state.parts[number] for number in sorted(state.parts)]
            return self.calls.complete(state.upload_id, ids, md5)
        except APIStatusError as error:
            if not asked_before or error.status_code not in _HOPELESS:
                raise
            raise IntegrityError(
                f"The upload {state.upload_id!r} was asked to be completed before, and what came "
                f"of it is unknown; now the server says: {error.message} Look for the file with "
                "files.find(path) before you send it again.",
                outcome="ambiguous",
                status_code=error.status_code,
                request_id=error.request_id,
            ) from None

    def _give_up(self, state: UploadState) -> None:
        self._forget()
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

    def _forget(self) -> None:
        if self.state_path is not None:
            Path(self.state_path).unlink(missing_ok=True)


def _sizes(size: int, part_size: int) -> list[int]:
    whole, rest = divmod(size, part_size)
    return [part_size] * whole + [rest] * bool(rest)


def _is_hopeless(error: BaseException) -> bool:
    """Tell whether an upload cannot be gone on with after an error.

    An `IntegrityError` without a path is of the file, not of an exchange with the server.
    """
    if isinstance(error, APIStatusError):
        return error.status_code in _HOPELESS
    return isinstance(error, IntegrityError) and error.path is None
