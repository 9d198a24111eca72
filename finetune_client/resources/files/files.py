"""Files: up, down, listed, waited for; https://platform.openai.com/docs/api-reference/files ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from finetune_client.errors import WaitTimeoutError
from finetune_client.models import Deleted, FileObject
from finetune_client.resources.arguments import list_query, path_of
from finetune_client.resources.files.contents import Contents, file_path
from finetune_client.resources.files.multipart import Multipart
from finetune_client.resources.files.progress import reporting
from finetune_client.resources.files.rules import (
    check_purpose,
    check_size,
    check_stored,
    expiry,
    expiry_fields,
    file_of,
    is_ready,
    is_same,
    name_for,
)
from finetune_client.resources.files.sources import open_source
from finetune_client.resources.files.uploads import Uploads
from finetune_client.resources.options import check_extras
from finetune_client.transport.request import Request
from finetune_client.waiting import Pace

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from typing_extensions import Unpack

    from finetune_client.resources.files.progress import Progress
    from finetune_client.resources.files.sources import FileInput
    from finetune_client.resources.options import Extras, Options
    from finetune_client.resources.pager import Pager

__all__ = ["Files"]

FileObjects: TypeAlias = "list[FileObject]"


class Files(Contents):
    """Files: ``client.files``.

    https://platform.openai.com/docs/api-reference/files
    """

    __slots__ = ()

    def create(
        self,
        *,
        file: FileInput,
        purpose: str = "fine-tune",
        expires_after: Mapping[str, Any] | int | None = None,
        progress: Progress = None,
        **options: Unpack[Options],
    ) -> FileObject:
        """Send a file in one request; it is read in blocks of 64 KiB while it is sent.

        A try that was certainly not carried out is repeated, from the first byte. What happened
        to one that broke off is not known: it raises, and `find` tells whether the file is there.

        Args:
            file: A path, a file opened with ``"rb"`` (sent from where it stands), bytes, or
                ``(name, content[, content type])``. What cannot be rewound is copied to a
                temporary file first.
            purpose: ``"fine-tune"``, ``"batch"``, ``"evals"``, ``"user_data"`` and so on.
            expires_after: When the server deletes it: ``{"anchor": "created_at", "seconds": n}``
                or just the seconds, from 3600 to 2592000; `None` for never.
            progress: A function ``(sent, total)`` in bytes of the file, which begins at 0 again
                with each try; or `True` for a bar.
            **options: See `Options`.

        Raises:
            RequestError: It cannot be sent: empty, too large, no file, expiry out of range.
            IntegrityError: The file changed while it was sent, or the server has another number
                of bytes than were sent (the message names the file's id).
            OSError: The path cannot be opened.
            APIError: See `finetune_client.errors`.
        """
        check_purpose(purpose)
        fields = expiry_fields(expiry(self._session, expires_after))
        with open_source(file) as source:
            check_size(source, self._session.provider.max_file_bytes, *self._too_large())
            name = name_for(source, purpose)
            with reporting(progress, name) as report:
                body = Multipart(
                    [("purpose", purpose), *fields],
                    name="file",
                    content=source,
                    filename=name,
                    content_type=source.content_type,
                    report=report,
                )
                request = Request(
                    method="POST",
                    path="/files",
                    body=body,
                    idempotent=False,
                    fresh_connection=True,
                )
                stored = self._read(request, FileObject.from_dict, options)
            return check_stored(stored, source.size)

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
        **options: Unpack[Options],
    ) -> FileObject:
        """Send a file the way its size asks for: `create`, or `Uploads.upload_file` above that.

        The provider's limits decide (OpenAI: 512 MB for one request, 8 GB in parts).

        Args:
            path: The file.
            purpose: See `create`.
            expires_after: See `create`.
            progress: See `create`.
            state: For a file sent in parts, see `Uploads.upload_file`.
            part_size: The same.
            workers: The same.
            **options: See `Options`.

        Raises:
            RequestError: It is larger than the provider takes in any way.
            APIError: As `create` and `Uploads.upload_file`.
        """
        provider = self._session.provider
        in_parts = path_of(path, "path").stat().st_size > provider.max_file_bytes
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
        return file_of(upload)

    def list(
        self,
        *,
        purpose: str | None = None,
        limit: int | None = None,
        order: str | None = None,
        after: str | None = None,
        **options: Unpack[Options],
    ) -> Pager[FileObject]:
        """List the files, newest first unless ``order`` says else.

        Args:
            purpose: Only files with this purpose.
            limit: Rows a page, 1 to 10000 (the server's default).
            order: ``"asc"`` or ``"desc"`` by ``created_at``.
            after: The id of a file; the list begins behind it.
            **options: See `Options`.
        """
        paged = "files_paging" not in self._session.provider.lacks
        if any(value is not None for value in (limit, order, after)):
            self._session.require("files_paging", "limit, order and after of files.list")
        query = list_query(purpose=purpose, limit=limit, order=order, after=after)
        request = Request(method="GET", path="/files", query=query)
        return self._pager(request, FileObject, options, after=after, paged=paged)

    def delete(self, file_id: str, **options: Unpack[Options]) -> Deleted:
        """Delete a file."""
        request = Request(method="DELETE", path=file_path(file_id), expect_id=file_id)
        return self._read(request, Deleted.from_dict, options)

    def wait_for_processing(
        self,
        file_id: str,
        *,
        poll_interval: float | None = None,
        timeout: float | None = 1800,
        max_wait_seconds: float | None = None,
        **extras: Unpack[Extras],
    ) -> FileObject:
        """Wait until a file can be used. A server that gives no status means that it can.

        Args:
            file_id: The file.
            poll_interval: Seconds between two looks; by default they grow as the provider says.
            timeout: Seconds in all; `None` to wait for ever.
            max_wait_seconds: The same, under the official SDK's name; it wins.
            **extras: See `Extras`.

        Raises:
            RequestError: A number of seconds is negative, or not a number.
            TrainingDataError: The status is ``error``, ``deleted`` or ``deleting``; the message
                has the server's ``status_details``.
            WaitTimeoutError: The time is over; its `job` is the file as last seen.
            APIError: See `finetune_client.errors`.
        """
        check_extras(extras)
        longest = timeout if max_wait_seconds is None else max_wait_seconds
        provider = self._session.provider
        pace = Pace(
            self._session.clock,
            timeout=longest,
            poll_interval=poll_interval,
            first=provider.first_poll,
            longest=provider.longest_poll,
        )
        while not is_ready(file := self.retrieve(file_id, **extras)):
            if not pace.pause():
                raise WaitTimeoutError(
                    f"The file {file.id!r} was still {file.status!r} after {longest} seconds.",
                    job=file,
                )
        return file

    def find(
        self,
        path: str | os.PathLike[str],
        *,
        purpose: str | None = "fine-tune",
        **options: Unpack[Options],
    ) -> FileObjects:
        """Look for earlier uploads of a file: those with its name and its size, newest first.

        The API has no checksum, so they may differ in content; nothing here reuses one by itself.
        Files that are expired, deleted or in error are left out.
        """
        file = path_of(path, "path")
        name, size = file.name, file.stat().st_size
        now = self._session.clock.now()
        files = self.list(purpose=purpose, **options)
        found = [file for file in files if is_same(file, name, size, now)]
        return sorted(found, key=lambda file: file.created_at or 0, reverse=True)

    def _too_large(self) -> tuple[str, str]:
        if "uploads" in self._session.provider.lacks:
            return "this provider", "split it, or keep only the examples that are needed"
        return "POST /files", "send it in parts: client.files.upload(path) or client.uploads"
