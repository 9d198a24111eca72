"""Files: uploaded, listed, waited for, downloaded.

https://developers.openai.com/api/reference
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, TypeAlias

from finetune_client.atomic_file import replacing
from finetune_client.backports import Unpack
from finetune_client.caller import warn_caller
from finetune_client.errors import APIResponseError, TrainingDataError, WaitTimeoutError
from finetune_client.models import Deleted, FileObject
from finetune_client.models.files import FileStatus
from finetune_client.resources.arguments import as_path, list_query
from finetune_client.resources.base import Resource
from finetune_client.resources.files.content import FileBytes
from finetune_client.resources.files.download import IDENTITY, Download, checked_blocks
from finetune_client.resources.files.multipart import Multipart
from finetune_client.resources.files.progress import (
    OnProgress,
    Progress,
    ignore_progress,
    open_progress,
)
from finetune_client.resources.files.sources import FileInput, open_source
from finetune_client.resources.files.upload_plan import (
    check_purpose,
    check_size,
    check_stored,
    expiry,
    expiry_fields,
    upload_name,
)
from finetune_client.resources.files.uploads import Uploads
from finetune_client.resources.options import (
    PollOptions,
    RequestOptions,
    check_poll_options,
    with_options,
)
from finetune_client.resources.pager import Pager
from finetune_client.transport import path_segment
from finetune_client.transport.request import Request
from finetune_client.waiting import Pace

__all__ = ["Files", "is_being_processed"]

FileObjects: TypeAlias = "list[FileObject]"

_PROCESSED: Final = frozenset({None, FileStatus.PROCESSED})
_BEING_PROCESSED: Final = frozenset({FileStatus.PENDING, FileStatus.RUNNING})
_UNUSABLE: Final = frozenset({FileStatus.ERROR, FileStatus.DELETED, FileStatus.DELETING})


class Files(Resource):
    """Files: ``client.files``.

    https://developers.openai.com/api/reference
    """

    STREAMED_CALLS = MappingProxyType({"content": "stream"})

    def create(
        self,
        *,
        file: FileInput,
        purpose: str = "fine-tune",
        expires_after: Mapping[str, Any] | int | None = None,
        progress: Progress = None,
        **options: Unpack[RequestOptions],
    ) -> FileObject:
        """Send a file in one request; it is read in blocks of 64 KiB while it is sent.

        A try that was certainly not carried out is repeated, from the first byte. What became of
        one that broke off is not known: it raises, and `find` shows whether the file is there.

        Args:
            file: A path, a file opened with ``"rb"`` (sent from where it stands), bytes, or
                ``(name, content[, content type])``. What cannot be rewound is copied to a
                temporary file first.
            purpose: ``"fine-tune"``, ``"batch"``, ``"evals"``, ``"user_data"`` and so on.
            expires_after: When the server deletes it: ``{"anchor": "created_at", "seconds": n}``
                or just the seconds, from 3600 to 2592000; `None` for never.
            progress: A function ``(sent, total)`` in bytes of the file, which begins at 0 again
                with each try; or `True` for a bar.
            **options: See `RequestOptions`.

        Raises:
            RequestError: It cannot be sent: it is empty, too large or not a file, or the expiry
                is out of range.
            IntegrityError: The file changed while it was sent, or the server has another number
                of bytes than were sent and is known to count right, as OpenAI's is (the message names
                the file's id); elsewhere that is logged as a warning.
            OSError: The path cannot be opened.
            APIError: See `finetune_client.errors`.
        """
        check_purpose(purpose)
        fields = expiry_fields(expiry(self._session, expires_after))
        with open_source(file) as source:
            check_size(source, self._session.provider.max_file_bytes, *self._too_large())
            name = upload_name(source, purpose)
            with open_progress(progress, name) as on_progress:
                body = Multipart(
                    [("purpose", purpose), *fields],
                    name="file",
                    content=source,
                    filename=name,
                    content_type=source.content_type,
                    on_progress=on_progress,
                )
                request = Request(
                    method="POST",
                    path="/files",
                    body=body,
                    idempotent=False,
                    fresh_connection=True,
                )
                stored = self._read(request, FileObject.from_dict, options)
            return check_stored(stored, source.size, self._session.provider)

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        purpose: str = "fine-tune",
        expires_after: Mapping[str, Any] | int | None = None,
        progress: Progress = None,
        state: str | os.PathLike[str] | None = None,
        part_size: int | None = None,
        workers: int = 4,
        **options: Unpack[RequestOptions],
    ) -> FileObject:
        """Send a file in the way that its size requires: `create`, or else `Uploads.upload_file`.

        The provider's limits decide (OpenAI: 512 MB for one request, 8 GB in parts).

        Args:
            path: The file.
            purpose: See `create`.
            expires_after: See `create`.
            progress: See `create`.
            state: For a file sent in parts, see `Uploads.upload_file`.
            part_size: For a file sent in parts.
            workers: For a file sent in parts.
            **options: See `RequestOptions`.

        Raises:
            RequestError: It is larger than the provider takes in any way.
            APIError: As `create` and `Uploads.upload_file`.
        """
        provider = self._session.provider
        in_parts = as_path(path, "path").stat().st_size > provider.max_file_bytes
        if not in_parts or "uploads" in provider.lacks:
            return self.create(
                file=path,
                purpose=purpose,
                expires_after=expires_after,
                progress=progress,
                **options,
            )
        upload = Uploads(self._session).upload_file(
            path,
            purpose=purpose,
            expires_after=expires_after,
            progress=progress,
            state=state,
            part_size=part_size,
            workers=workers,
            **options,
        )
        if upload.file is None:
            raise APIResponseError(
                f"The upload {upload.id!r} was completed, but the answer names no file; look for "
                "it with files.find(path).",
                outcome="bad_answer",
            )
        return upload.file

    def retrieve(self, file_id: str, **options: Unpack[RequestOptions]) -> FileObject:
        """Return a file's object: its name, its size and so on."""
        return self._read(_retrieve(file_id), FileObject.from_dict, options)

    def list(
        self,
        *,
        purpose: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        after: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Pager[FileObject]:
        """List the files, newest first unless ``order`` says otherwise.

        Args:
            purpose: Only files with this purpose.
            limit: Rows of a page, 1 to 10000 (the server's default).
            order: ``"asc"`` or ``"desc"`` by ``created_at``.
            after: The id of a file; the list begins after it.
            **options: See `RequestOptions`.
        """
        paged = "files_paging" not in self._session.provider.lacks
        if any(value is not None for value in (limit, order, after)):
            self._session.require("files_paging", "limit, order and after of files.list")
        query = list_query(purpose=purpose, limit=limit, order=order, after=after)
        request = Request(method="GET", path="/files", query=query)
        return self._pager(request, FileObject, options, after=after, paged=paged)

    def delete(self, file_id: str, **options: Unpack[RequestOptions]) -> Deleted:
        """Delete a file."""
        self._session.require("file_delete", "deleting a file")
        request = Request(method="DELETE", path=_file_path(file_id), expect_id=file_id)
        return self._read(request, Deleted.from_dict, options)

    def find(
        self,
        path: str | os.PathLike[str],
        *,
        purpose: str | None = "fine-tune",
        **options: Unpack[RequestOptions],
    ) -> FileObjects:
        """Return earlier uploads of a file: those with its name and its size, newest first.

        The API has no checksum, so they may differ in content; no call here reuses one by itself.
        Files that are expired, deleted or in error are left out.
        """
        local = as_path(path, "path")
        size, now = local.stat().st_size, self._session.clock.now()
        found = [
            file
            for file in self.list(purpose=purpose, **options)
            if (file.filename, file.bytes) == (local.name, size)
            and file.status not in _UNUSABLE
            and (file.expires is None or file.expires.timestamp() > now)
        ]
        return sorted(found, key=lambda file: file.created_at or 0, reverse=True)

    def wait_for_processing(
        self,
        file_id: str,
        *,
        poll_interval: float | None = None,
        timeout: float | None = 1800,
        max_wait_seconds: float | None = None,
        **options: Unpack[PollOptions],
    ) -> FileObject:
        """Wait until a file can be used. Where the server sends no status, it can be.

        Args:
            file_id: The file.
            poll_interval: Seconds between two polls; by default they grow from the provider's
                ``first_poll`` to its ``longest_poll``.
            timeout: Seconds in all; `None` for no limit.
            max_wait_seconds: The same, under the official SDK's name; it wins.
            **options: See `PollOptions`.

        Raises:
            RequestError: A number of seconds is negative, or not a number.
            TrainingDataError: The status is ``error``, ``deleted`` or ``deleting``; the message
                has the server's ``status_details``.
            WaitTimeoutError: The time is over; its `job` is the file as last seen.
            APIError: See `finetune_client.errors`.
        """
        check_poll_options(options)
        longest = timeout if max_wait_seconds is None else max_wait_seconds
        provider = self._session.provider
        pace = Pace(
            self._session.clock,
            first_poll=provider.first_poll,
            longest_poll=provider.longest_poll,
            poll_interval=poll_interval,
            timeout=longest,
        )
        while not _is_usable(file := self.retrieve(file_id, **options)):
            if not pace.pause():
                raise WaitTimeoutError(
                    f"The file {file.id!r} was still {file.status!r} after {longest} seconds.",
                    job=file,
                )
        return file

    def content(self, file_id: str, **options: Unpack[RequestOptions]) -> FileBytes:
        """Return a file's content, all of it in memory; `download` and `stream` hold a block.

        It is `bytes`, and has what scripts for the official SDK call on its answer: ``read()``,
        ``text``, ``content``, ``json()``, ``iter_bytes()``, ``iter_lines()``, ``write_to_file()``.
        Result files of OpenAI come in base64; `finetune_client.metrics` reads both kinds.

        Raises:
            IntegrityError: The transfer was cut, again and again.
            APIResponseError: The answer is compressed, or a web page.
            APIError: See `finetune_client.errors`.
        """
        sink = io.BytesIO()
        request, retrieve = self._content(file_id, options, self._session.deadline())
        Download(
            self._session,
            request,
            sink,
            retrieve=retrieve,
            sized=False,
            on_progress=ignore_progress,
        ).run()
        return FileBytes(sink.getvalue())

    def retrieve_content(self, file_id: str, **options: Unpack[RequestOptions]) -> str:
        """Return a file's content as text; kept for scripts of the official SDK.

        Bytes that are not UTF-8 are shown as U+FFFD.

        Warns:
            DeprecationWarning: As in the official SDK: `content` has the bytes.

        Raises:
            APIError: See `content`.
        """
        warn_caller(
            "files.retrieve_content is deprecated, as in the official SDK; use files.content.",
            DeprecationWarning,
        )
        return self.content(file_id, **options).decode("utf-8", "replace")

    def download(
        self,
        file_id: str,
        path: str | os.PathLike[str],
        *,
        progress: Progress = None,
        **options: Unpack[RequestOptions],
    ) -> Path:
        """Write a file's content to ``path``, whole or not at all.

        It is written to a new file beside ``path``, which replaces ``path`` once it is whole and
        on the disk; until then a file that is there stays as it was. A transfer that is cut is
        resumed where it stopped, up to five times in a row without getting further.

        Args:
            file_id: The file.
            path: Where to write; the folder must exist.
            progress: A function ``(received, total)`` in bytes, or `True` for a bar.
            **options: See `RequestOptions`.

        Returns:
            ``path``.

        Raises:
            IntegrityError: The transfer was cut again and again, or the content is not as long as
                the file object says.
            APIResponseError: The answer is compressed, or a web page.
            RequestError: ``path`` is not a path, or is a directory or a device.
            OSError: It cannot be written.
            APIError: See `finetune_client.errors`.
        """
        request, retrieve = self._content(file_id, options, self._session.deadline())
        target = as_path(path, "path")
        with replacing(target) as sink, open_progress(progress, target.name) as on_progress:
            Download(
                self._session,
                request,
                sink,
                retrieve=retrieve,
                sized=True,
                on_progress=on_progress,
            ).run()
        return target

    def write_content(
        self,
        file: FileObject,
        sink: IO[bytes],
        *,
        on_progress: OnProgress,
        deadline: float | None,
        done: int = 0,
        **options: Unpack[RequestOptions],
    ) -> None:
        """Write a file's content to an open file, as `download` does.

        Args:
            file: The file's object.
            sink: Where to write; it can be emptied, and stands where its content ends.
            on_progress: Called with ``(received, total)`` in bytes.
            deadline: When it must be over, on the monotonic clock; `None` for no limit.
            done: The bytes that the sink has already, from an earlier call: only the rest is asked
                for, unless the server has another content now, or cannot give the rest alone.
            **options: See `RequestOptions`.

        Raises:
            IntegrityError: As `download`.
            APIError: See `finetune_client.errors`.
        """
        request, _ = self._content(file.id, options, deadline)
        Download(
            self._session,
            request,
            sink,
            retrieve=lambda: file,
            sized=True,
            on_progress=on_progress,
            done=done,
        ).run()

    def stream(self, file_id: str, **options: Unpack[RequestOptions]) -> Iterator[bytes]:
        """Return an iterator over a file's content in blocks of at most 64 KiB, as it comes.

        Nothing is sent before the first block is asked for. A transfer that is cut is not
        resumed. If you stop early, close the iterator (or drop it), which closes the connection.

        Raises:
            IntegrityError: The transfer was cut.
            APIResponseError: The answer is compressed, or a web page.
            APIError: See `finetune_client.errors`.
        """
        # The id and the options are checked now, not when the first block is asked for.
        return self._blocks(*self._content(file_id, options, deadline=None))

    def _blocks(self, request: Request, retrieve: Callable[[], FileObject]) -> Iterator[bytes]:
        with self._session.stream(request) as response:
            yield from checked_blocks(request, response, retrieve=retrieve)

    def _content(
        self, file_id: str, options: RequestOptions, deadline: float | None
    ) -> tuple[Request, Callable[[], FileObject]]:
        """Return the request of a content, and what retrieves the file object once it is needed.

        Args:
            file_id: The file.
            options: The options of both requests.
            deadline: When both must be over.
        """
        self._session.require("file_content", "reading a file's content")
        request = Request(
            method="GET",
            path=f"{_file_path(file_id)}/content",
            headers=IDENTITY,
            accept="application/binary",
            deadline=deadline,
        )
        file = replace(_retrieve(file_id), deadline=deadline)
        retrieve = cache(lambda: self._read(file, FileObject.from_dict, options))
        return with_options(request, options), retrieve

    def _too_large(self) -> tuple[str, str]:
        if "uploads" in self._session.provider.lacks:
            return "this provider", "split it, or keep only the examples that are needed"
        return "POST /files", "send it in parts: client.files.upload(path) or client.uploads"


def is_being_processed(file: FileObject) -> bool:
    """Return whether the server says that no job can use the file yet (Azure)."""
    return file.status in _BEING_PROCESSED


def _is_usable(file: FileObject) -> bool:
    """Return whether a file can be used; most servers send no status, and mean yes.

    Raises:
        TrainingDataError: It never will be; the message has the server's ``status_details``.
    """
    if file.status in _UNUSABLE:
        details = file.status_details or "the server gives no details"
        raise TrainingDataError(
            f"The file {file.id!r} cannot be used, its status is {file.status!r}: {details}",
            problems=[details],
        )
    return file.status in _PROCESSED


def _file_path(file_id: str) -> str:
    return f"/files/{path_segment(file_id, 'file_id')}"


def _retrieve(file_id: str) -> Request:
    return Request(method="GET", path=_file_path(file_id), expect_id=file_id)
