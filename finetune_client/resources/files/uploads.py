"""Uploads in parts; https://developers.openai.com/api/reference ."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from finetune_client.backports import Unpack
from finetune_client.errors import DecodeError, RequestError
from finetune_client.lazy import part
from finetune_client.models import Upload, UploadPart
from finetune_client.models.checks import needed_text, needed_texts, optional_text
from finetune_client.resources.arguments import as_list, check_arguments
from finetune_client.resources.base import Resource, read_response
from finetune_client.resources.files.multipart import Content, Multipart
from finetune_client.resources.files.parallel import Stop
from finetune_client.resources.files.progress import OnProgress, Progress, open_progress
from finetune_client.resources.files.sources import FileInput, Source, open_source
from finetune_client.resources.files.upload_in_parts import FilePart, FileUpload
from finetune_client.resources.files.upload_plan import (
    DEFAULT_PART_SIZE,
    UploadPlan,
    check_purpose,
    check_size,
    check_stored,
    expiry,
)
from finetune_client.resources.files.upload_state import UploadTarget
from finetune_client.resources.options import RequestOptions, with_options, without_extra_body
from finetune_client.transport import Session, path_segment
from finetune_client.transport.request import Request

__all__ = ["Parts", "Uploads"]

_PART_NAME = "upload"


class Parts(Resource):
    """The parts of an upload: ``client.uploads.parts``.

    https://developers.openai.com/api/reference
    """

    def create(
        self,
        upload_id: str,
        *,
        data: FileInput,
        progress: Progress = None,
        **options: Unpack[RequestOptions],
    ) -> UploadPart:
        """Send one part of an upload, of at most 64 MB; it is sent again until it arrives.

        Args:
            upload_id: The upload.
            data: A path, a file opened with ``"rb"``, or bytes.
            progress: A function ``(sent, total)``, or `True` for a bar.
            **options: See `RequestOptions`.

        Raises:
            RequestError: There is nothing to send.
            IntegrityError: The file changed while it was sent.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.parts.create")
        with open_source(data, "data") as source, open_progress(progress, upload_id) as on_progress:
            request = _create_part(upload_id, source, on_progress, source.content_type)
            return self._read(request, UploadPart.from_dict, options)


class Uploads(Resource):
    """Files that are too large for one request: ``client.uploads``.

    https://developers.openai.com/api/reference
    """

    @part
    def parts(self) -> Parts:
        """Sends single parts; `upload_file` does all of it."""
        return Parts(self._session)

    def create(
        self,
        *,
        bytes: int,
        filename: str,
        mime_type: str,
        purpose: str,
        expires_after: Mapping[str, Any] | int | None = None,
        **options: Unpack[RequestOptions],
    ) -> Upload:
        """Create an upload; it expires after an hour (OpenAI) unless it is completed.

        Args:
            bytes: How many bytes the parts will have together.
            filename: The name of the file to be.
            mime_type: Its type; the API's example for training data is ``text/jsonl``.
            purpose: ``"fine-tune"``, ``"batch"`` and so on.
            expires_after: When the file is deleted, see `Files.create`.
            **options: See `RequestOptions`.

        Raises:
            RequestError: ``bytes`` is negative, or more than the provider takes.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.create")
        check_purpose(purpose)
        _check_bytes(bytes, self._session.provider.max_upload_bytes)
        names = needed_text("filename", filename), needed_text("mime_type", mime_type)
        check_arguments("begin the upload", *names)
        request = _create(
            filename=filename,
            purpose=purpose,
            size=bytes,
            mime_type=mime_type,
            expires_after=expiry(self._session, expires_after),
        )
        return self._read(request, Upload.from_dict, options)

    def complete(
        self,
        upload_id: str,
        *,
        part_ids: Sequence[str],
        md5: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Upload:
        """Put the file together; the answer's `file` is it.

        Args:
            upload_id: The upload.
            part_ids: The parts in the order of the file.
            md5: The MD5 of the whole file in hexadecimal, which the server compares.
            **options: See `RequestOptions`.

        Raises:
            RequestError: ``part_ids`` is empty, or not a list of texts.
            APIError: See `finetune_client.errors`.
        """
        self._session.require("uploads", "uploads.complete")
        return self._read(_complete(upload_id, part_ids, md5), Upload.from_dict, options)

    def cancel(self, upload_id: str, **options: Unpack[RequestOptions]) -> Upload:
        """Cancel an upload; no part can be added after that."""
        self._session.require("uploads", "uploads.cancel")
        return self._read(_cancel(upload_id), Upload.from_dict, options)

    def upload_file(
        self,
        path: FileInput,
        *,
        purpose: str = "fine-tune",
        part_size: int | None = None,
        workers: int = 4,
        progress: Progress = None,
        state: str | os.PathLike[str] | None = None,
        mime_type: str | None = None,
        filename: str | None = None,
        expires_after: Mapping[str, Any] | int | None = None,
        md5: str | Literal[False] | None = None,
        **options: Unpack[RequestOptions],
    ) -> Upload:
        """Send a file in parts, several at a time, and put it together.

        Each part is read from the file while it is sent, and sent again by itself when it breaks
        off. The MD5 of the file is computed meanwhile and sent to the server at the end.

        If anything fails, the upload is cancelled, unless ``state`` names a file to remember it
        in: then the same call resumes with the parts that are missing, also after the process
        was killed. The state is refused when the file has another size or time of modification,
        or when the upload has expired; it is deleted when the file is complete, and when the
        server says that the upload is gone.

        No thread outlives the call, whatever ends it.

        Args:
            path: The file; anything that `Files.create` takes.
            purpose: ``"fine-tune"``, ``"batch"`` and so on.
            part_size: Bytes of each part but the last, at most (and by default) 64 MiB.
            workers: Parts that are sent at the same time.
            progress: A function ``(sent, total)`` in bytes of the file, called from the threads
                but never twice at a time; or `True` for a bar.
            state: Where to remember the upload.
            mime_type: The file's type; guessed from the name.
            filename: The file's name, if not its own.
            expires_after: When the file is deleted, see `Files.create`.
            md5: The file's MD5 in hexadecimal, if it is known already; False to send none.
            **options: See `RequestOptions`; ``extra_body`` goes into the first request.

        Returns:
            The upload, completed; its `file` is the file.

        Raises:
            RequestError: It cannot be sent, or the state is not of it.
            IntegrityError: The file changed while it was sent, or the server has another number
                of bytes than were sent, see `Files.create`.
            OSError: The file cannot be read, or the state not written.
            APIError: See `finetune_client.errors`.
        """
        plan = UploadPlan(
            purpose=purpose,
            part_size=DEFAULT_PART_SIZE if part_size is None else part_size,
            workers=workers,
            progress=progress,
            state=state,
            mime_type=mime_type,
            filename=filename,
            expires_after=expires_after,
            md5=md5,
        )
        with open_source(path, "path") as source:
            return self._send(source, plan, options)

    def upload_file_chunked(
        self,
        *,
        file: FileInput,
        mime_type: str,
        purpose: str,
        filename: str | None = None,
        bytes: int | None = None,
        part_size: int | None = None,
        md5: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Upload:
        """Do what `upload_file` does, under the official SDK's name and with its arguments.

        Raises:
            RequestError: ``bytes`` is given and is not the size of ``file``.
        """
        plan = UploadPlan(
            purpose=purpose,
            part_size=DEFAULT_PART_SIZE if part_size is None else part_size,
            mime_type=mime_type,
            filename=filename,
            md5=md5,
        )
        with open_source(file) as source:
            if bytes is not None and bytes != source.size:
                raise RequestError(f"bytes= is {bytes}, but {source} has {source.size} bytes.")
            return self._send(source, plan, options)

    def _send(self, source: Source, plan: UploadPlan, options: RequestOptions) -> Upload:
        session = self._session
        session.require("uploads", "sending a file in parts")
        plan.check()
        expires_after = expiry(session, plan.expires_after)
        limit = session.provider.max_upload_bytes
        check_size(source, limit, "an upload in parts", "split it into several files")
        target = plan.target(source, session.config.base_url.url)
        with open_progress(plan.progress, target.filename) as on_progress:
            upload = FileUpload(
                calls=_FileUploadCalls(session, target, expires_after, options),
                source=source,
                target=target,
                workers=plan.workers,
                on_progress=on_progress,
                now=session.clock.now(),
                state_path=plan.state,
                md5=plan.md5.lower() if plan.md5 else plan.md5,
            )
            completed = upload.run()
        if completed.file is not None:
            check_stored(completed.file, source.size, session.provider)
        return completed


class _FileUploadCalls(Resource):
    """The calls that send one file in parts, for `FileUpload`."""

    def __init__(
        self,
        session: Session,
        target: UploadTarget,
        expires_after: Mapping[str, Any] | None,
        options: RequestOptions,
    ) -> None:
        super().__init__(session)
        self._target = target
        self._expires_after = expires_after
        self._options = options
        self._other_options = without_extra_body(options)

    def create(self) -> Upload:
        """Create the upload."""
        target = self._target
        request = _create(
            filename=target.filename,
            purpose=target.purpose,
            size=target.size,
            mime_type=target.mime_type,
            expires_after=self._expires_after,
        )
        return self._read(request, _read_begun, self._options)

    def send_part(self, upload_id: str, part: FilePart, stop: Stop) -> str:
        """Send a part and return its id; waits between its tries end when ``stop`` is set."""
        session, clock = self._session, self._session.clock
        stoppable = replace(clock, sleep=lambda seconds: stop.sleep(seconds, clock.sleep))
        request = with_options(_create_part(upload_id, part, part.on_progress), self._other_options)
        response = session.sharing(session.config, clock=stoppable).send(request)
        return read_response(request, response, _read_part).id

    def complete(self, upload_id: str, part_ids: Sequence[str], md5: str | None) -> Upload:
        """Put the file together."""
        request = _complete(upload_id, part_ids, md5)
        return self._read(request, Upload.from_dict, self._other_options)

    def cancel(self, upload_id: str) -> None:
        """Cancel the upload."""
        self._read(_cancel(upload_id), Upload.from_dict, self._other_options)


def _check_bytes(count: object, limit: float) -> None:
    if type(count) is not int or not 0 <= count <= limit:
        raise RequestError(f"bytes must be a whole number from 0 to {limit}, not {count!r}.")


def _create(
    *,
    filename: str,
    purpose: str,
    size: int,
    mime_type: str,
    expires_after: Mapping[str, Any] | None,
) -> Request:
    json = {"filename": filename, "purpose": purpose, "bytes": size, "mime_type": mime_type}
    if expires_after is not None:
        json["expires_after"] = dict(expires_after)
    return Request(method="POST", path="/uploads", json=json)


def _create_part(
    upload_id: str, content: Content, on_progress: OnProgress, content_type: str | None = None
) -> Request:
    """Return the request that sends a part.

    It counts as idempotent: a part that arrives twice is two parts, of which one is completed.
    """
    body = Multipart(
        [],
        name="data",
        content=content,
        filename=_PART_NAME,
        content_type=content_type,
        on_progress=on_progress,
    )
    return Request(method="POST", path=f"{_upload_path(upload_id)}/parts", body=body)


def _complete(upload_id: str, part_ids: Sequence[str], md5: str | None) -> Request:
    ids = as_list(part_ids)
    checks = needed_texts("part_ids", ids), optional_text("md5", md5)
    check_arguments("complete the upload", *checks)
    json: dict[str, Any] = {"part_ids": ids}
    if md5 is not None:
        json["md5"] = md5
    return Request(
        method="POST",
        path=f"{_upload_path(upload_id)}/complete",
        json=json,
        idempotent=False,
        expect_id=upload_id,
        fresh_connection=True,
    )


def _cancel(upload_id: str) -> Request:
    return Request(method="POST", path=f"{_upload_path(upload_id)}/cancel", expect_id=upload_id)


def _read_begun(data: Any) -> Upload:
    """Read an upload that more requests are about; an id that they cannot name is of no use."""
    upload = Upload.from_dict(data)
    try:
        _upload_path(upload.id)
    except RequestError as error:
        raise DecodeError(error.message, path="id") from None
    return upload


def _read_part(data: Any) -> UploadPart:
    """Read a part that is named in the request to complete its upload."""
    sent = UploadPart.from_dict(data)
    if not sent.id:
        raise DecodeError("id is empty.", path="id")
    try:
        sent.id.encode()
    except UnicodeEncodeError:
        raise DecodeError(f"id is not valid Unicode: {sent.id!r}.", path="id") from None
    return sent


def _upload_path(upload_id: str) -> str:
    return f"/uploads/{path_segment(upload_id, 'upload_id')}"
